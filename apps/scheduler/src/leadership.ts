/** What the leading scheduler does: takes members out of the ring that stayed away too long, and keeps the ring's history. */
import type { Clock, MemberRecord, Registry } from "@ringlight/core";
import { AbsenceTracker } from "./absence.ts";
import { epochCause } from "./epoch-cause.ts";

/** How often absences are looked at, milliseconds. */
const TICK_MS = 500;

/** Options of the leader's work. */
export interface LeadershipOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** How long a member may be away before its arcs move, milliseconds. */
  readonly absenceMs: number;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

/** Runs the leader's duties until the signal aborts. Errors of the registry are logged and the work is tried again. */
export class Leadership {
  readonly #options: LeadershipOptions;
  #tracker = new AbsenceTracker();
  #recorded: { readonly epoch: number; readonly members: readonly MemberRecord[] } | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** Members that are away, as far as this process has seen. Meaningful while leading. */
  absent(): ReturnType<AbsenceTracker["absent"]> {
    return this.#tracker.absent();
  }

  /** Leads. Resolves when the signal aborts; never rejects. */
  async lead(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    this.#tracker = new AbsenceTracker();
    this.#recorded = undefined;
    log("leading", {});
    while (!signal.aborted) {
      try {
        await this.#tick();
      } catch (error) {
        log("the registry refused the leader's work; trying again", { error: String(error) });
      }
      await clock.sleep(TICK_MS, signal).catch(() => undefined);
    }
    log("no longer leading", {});
  }

  async #tick(): Promise<void> {
    const { registry, clock, absenceMs, log } = this.#options;
    const view = registry.view();
    const now = clock.monotonicMs();
    this.#tracker.observe(view, now);
    if (!view.connected) return;
    await this.#record();
    for (const id of this.#tracker.overdue(now, absenceMs)) {
      log("a member stayed away too long and leaves the ring", { member: id, absenceMs });
      await registry.removeMember(id);
    }
  }

  /** Writes the current epoch into the history, once. */
  async #record(): Promise<void> {
    const { registry, clock } = this.#options;
    const { epoch, members } = registry.view();
    if (epoch === 0 || this.#recorded?.epoch === epoch) return;
    if (this.#recorded === undefined) {
      const [newest] = await registry.listEpochs(1);
      if (newest !== undefined) this.#recorded = newest;
      if (newest?.epoch === epoch) return;
    }
    await registry.putEpoch({ epoch, members, atMs: clock.now(), cause: epochCause(this.#recorded?.members, members) });
    this.#recorded = { epoch, members };
  }
}

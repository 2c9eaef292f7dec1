/** Asks workers whether they reach the stores behind the mounts: once a minute, and when mounts or workers change. */
import type { Clock, ClusterView, MountRecord } from "@ringlight/core";
import type { MountCheck, WorkerServiceClient } from "@ringlight/proto";
import { callUnary } from "@ringlight/rpc";
import type { MountCheckView, MountView } from "../wire.ts";

const EVERY_MS = 60_000;
/** A worker that has not heard of a new mount yet is asked again after this long. */
const INCOMPLETE_MS = 1_000;
/** Workers that are asked in one round; more of them would say the same and load the store. */
const WORKERS = 16;
const DEADLINE_MS = 8_000;

/** What a checker needs. */
export interface MountCheckerOptions {
  readonly view: () => ClusterView;
  readonly clients: () => readonly { readonly id: string; readonly client: WorkerServiceClient }[];
  readonly clock: Clock;
  /** Told when a round is over. */
  readonly onChecked: () => void;
}

interface Round {
  readonly checks: ReadonlyMap<string, readonly MountCheckView[]>;
  readonly asked: number;
  /** Some worker answered without having heard of every mount yet. */
  readonly incomplete: boolean;
  readonly atMs: number;
}

/** What one round is about. */
function subjectOf(view: ClusterView): string {
  return `${[...view.mounts.keys()].join()}|${[...view.workers.keys()].slice(0, WORKERS).join()}`;
}

export class MountChecker {
  readonly #options: MountCheckerOptions;
  readonly #closing = new AbortController();
  #round: Round | undefined;
  #running: Promise<void> | undefined;
  #subject = "";
  #startedMs = 0;

  constructor(options: MountCheckerOptions) {
    this.#options = options;
  }

  /** Starts a round if one is due: the mounts or the workers changed, or a minute has passed, a second after an incomplete round. */
  follow(): void {
    const { view, clock } = this.#options;
    const now = view();
    if (now.mounts.size === 0 || now.workers.size === 0 || this.#closing.signal.aborted) return;
    const everyMs = this.#round?.incomplete === true ? INCOMPLETE_MS : EVERY_MS;
    if (subjectOf(now) !== this.#subject || clock.now() - this.#startedMs >= everyMs) void this.check();
  }

  /** Asks now. Callers during a round wait for that round. Never rejects. */
  check(): Promise<void> {
    this.#running ??= this.#ask().finally(() => {
      this.#running = undefined;
      this.follow();
    });
    return this.#running;
  }

  /** A mount with what the last round found. */
  describe(record: MountRecord): MountView {
    const round = this.#round;
    if (!round) return { record, checks: [], asked: 0 };
    const checks = round.checks.get(record.name);
    // A mount that is newer than the round was not part of it.
    return checks ? { record, checks, asked: round.asked, checkedMs: round.atMs } : { record, checks: [], asked: 0 };
  }

  /** Gives the running round up. Idempotent. */
  close(): void {
    this.#closing.abort();
  }

  async #ask(): Promise<void> {
    const { view, clients, clock, onChecked } = this.#options;
    const { signal } = this.#closing;
    this.#startedMs = clock.now();
    this.#subject = subjectOf(view());
    const asked = clients().slice(0, WORKERS);
    let answered = 0;
    const checks = new Map<string, MountCheckView[]>([...view().mounts.keys()].map((name) => [name, []]));
    await Promise.all(
      asked.map(async ({ id, client }) => {
        const control = { deadlineMs: DEADLINE_MS, signal };
        const response = await callUnary(client, "checkMounts", { name: "" }, control).catch(() => undefined);
        if (response !== undefined) answered++;
        for (const check of response?.mounts ?? []) checks.get(check.name)?.push(checkView(id, check));
      }),
    );
    if (signal.aborted) return;
    const incomplete = [...checks.values()].some((answers) => answers.length < answered);
    this.#round = { checks, asked: asked.length, incomplete, atMs: clock.now() };
    onChecked();
  }
}

function checkView(workerId: string, check: MountCheck): MountCheckView {
  return {
    workerId,
    ok: check.ok,
    durationMs: check.durationMs,
    ...(check.ok ? {} : { code: check.errorCode, message: check.message }),
  };
}

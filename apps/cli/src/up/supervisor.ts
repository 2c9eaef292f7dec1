/** Keeps a set of processes running: reports what dies, starts it again after a while, stops all in order. */
import { formatDuration } from "@ringlight/core";
import { Child, describeEnding, type Ending, type ProcessSpec } from "./child-process.ts";
import { LogFile } from "./log-file.ts";

/** What a supervisor needs. */
export interface SupervisorOptions {
  readonly logDir: string;
  /** Undefined leaves the dead dead. */
  readonly restartAfterMs: number | undefined;
  /** Told one line about every event. */
  readonly say: (line: string) => void;
  /** Called when a process was started (again) or ended; again every 10 s as long as it throws, for example on a full disk. */
  readonly onChange: () => void;
}

const LONGEST_PAUSE_MS = 120_000;
/** A process that ran this long had started well: the next pause is the shortest again. */
const HEALTHY_MS = 60_000;
/** How often logs are looked at, and a change that could not be told is told again. */
const TICK_MS = 10_000;

interface Slot {
  readonly spec: ProcessSpec;
  readonly log: LogFile;
  child: Child;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** The processes of one cluster. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #rotation: NodeJS.Timeout;
  #stopping = false;
  #keeping = false;
  #changeUntold = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#rotation = setInterval(() => this.#tick(), TICK_MS);
    this.#rotation.unref();
  }

  /** Starts a process. Until keep() is called, one that ends is the business of whoever waits for it. */
  start(spec: ProcessSpec): Child {
    const log = new LogFile(this.#options.logDir, spec.name);
    const slot: Slot = {
      spec,
      log,
      child: new Child(spec, log),
      pauseMs: this.#options.restartAfterMs ?? 0,
      timer: undefined,
    };
    this.#slots.set(spec.name, slot);
    this.#watch(slot);
    return slot.child;
  }

  /** From here on, what ends is reported and started again. */
  keep(): void {
    this.#keeping = true;
    for (const slot of this.#slots.values()) {
      if (slot.child.ending) this.#lost(slot, slot.child.ending);
    }
  }

  /** Pids of the running processes, by name. */
  pids(): Record<string, number> {
    const pids: Record<string, number> = {};
    for (const [name, { child }] of this.#slots) {
      if (!child.ending && child.pid !== undefined) pids[name] = child.pid;
    }
    return pids;
  }

  /** Stops groups of processes one after the other, those of a group together. Nothing is started again from here on. */
  async stop(order: readonly (readonly string[])[]): Promise<void> {
    this.#end();
    for (const group of order) {
      const slots = group.map((name) => this.#slots.get(name)).filter((slot) => slot !== undefined);
      await Promise.all(
        slots.map(async ({ child, spec }) => {
          if (await child.stop()) return;
          this.#options.say(`${spec.name} did not end within ${formatDuration(spec.stopMs)} and was killed.`);
        }),
      );
    }
  }

  /** Kills everything at once. */
  kill(): void {
    this.#end();
    for (const { child } of this.#slots.values()) child.kill();
  }

  #end(): void {
    this.#stopping = true;
    clearInterval(this.#rotation);
    for (const { timer } of this.#slots.values()) clearTimeout(timer);
  }

  #watch(slot: Slot): void {
    void slot.child.ended.then((ending) => {
      if (this.#keeping && !this.#stopping) this.#lost(slot, ending);
    });
  }

  #lost(slot: Slot, ending: Ending): void {
    const { child, spec } = slot;
    this.#changed();
    if (Date.now() - child.startedMs > HEALTHY_MS) slot.pauseMs = this.#options.restartAfterMs ?? 0;
    const words = ending.signal === "SIGKILL" ? "" : child.lastWords();
    const died = `${spec.name} (process ${child.pid}) ended: ${describeEnding(ending)}${words ? `, "${words}"` : ""}.`;
    if (this.#options.restartAfterMs === undefined) {
      this.#options.say(`${died} It is not started again (--no-restart).`);
      return;
    }
    this.#options.say(`${died} Starting it again in ${formatDuration(slot.pauseMs)}.`);
    slot.timer = setTimeout(() => this.#restart(slot), slot.pauseMs);
    slot.pauseMs = Math.min(slot.pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #restart(slot: Slot): void {
    try {
      slot.child = new Child(slot.spec, slot.log);
    } catch (error) {
      this.#options.say(`${slot.spec.name} cannot be started: ${(error as Error).message}`);
      slot.timer = setTimeout(() => this.#restart(slot), slot.pauseMs);
      return;
    }
    this.#options.say(`${slot.spec.name} is started again (process ${slot.child.pid}).`);
    this.#watch(slot);
    this.#changed();
  }

  /** A change that cannot be told must not end the supervisor, and with it the processes that are well. */
  #changed(): void {
    try {
      this.#options.onChange();
      this.#changeUntold = false;
    } catch (error) {
      if (!this.#changeUntold) this.#options.say(`What runs cannot be recorded: ${(error as Error).message}`);
      this.#changeUntold = true;
    }
  }

  #tick(): void {
    if (this.#changeUntold) this.#changed();
    for (const { log } of this.#slots.values()) {
      try {
        log.rotate();
      } catch (error) {
        this.#options.say(`The log ${log.file} cannot be rotated: ${(error as Error).message}`);
      }
    }
  }
}

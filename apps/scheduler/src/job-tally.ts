/** Counts what became of the objects of a pass. */
import type { TaskUnit, UnitResult } from "@ringlight/proto";
import type { JobCounters } from "@ringlight/registry";

/** Nothing counted yet. */
export const NO_COUNTERS: JobCounters = {
  listed: { objects: 0, bytes: 0 },
  loaded: { objects: 0, bytes: 0 },
  cached: { objects: 0, bytes: 0 },
  refused: { objects: 0, bytes: 0 },
  failed: { objects: 0, bytes: 0 },
  verifiedObjects: 0,
  changedObjects: 0,
};

/**
 * What a pass is for: to load, to see whether what was loaded is still there, what would be loaded; to drop; to look through;
 * to hand over.
 */
export type TallyMode = "load" | "audit" | "dry" | "free" | "look" | "pull";

/** A unit of an object that is done, with its bytes and what became of it. */
export interface DoneUnit {
  readonly unit: TaskUnit;
  readonly bytes: number;
  readonly workerId: string;
  readonly result: Omit<UnitResult, "unit">;
}

/** Why an object falls short. */
export interface Shortfall {
  readonly code: string;
  readonly message: string;
  readonly workerId: string;
}

type AmountName = "listed" | "loaded" | "cached" | "refused" | "failed";

type Sums = {
  -readonly [K in keyof JobCounters]: JobCounters[K] extends number ? number : { objects: number; bytes: number };
};

/** Running sums. */
export class Tally {
  readonly #sums: Sums;
  readonly #mode: TallyMode;

  constructor(counters: JobCounters, mode: TallyMode) {
    this.#sums = structuredClone(counters);
    this.#mode = mode;
  }

  /** As they are now: a copy, which a record may keep. */
  get counters(): JobCounters {
    return structuredClone(this.#sums);
  }

  /** An object changed in the store while the job ran, or was found changed. */
  changed(): void {
    this.#sums.changedObjects++;
  }

  /** A path of which there is nothing. */
  missing(): void {
    this.#add("listed", 1, 0);
    this.#add("failed", 1, 0);
  }

  /**
   * Counts an object whose units are all done, with the bytes of all its copies, and returns why it falls short if it does. The bytes of `loaded` and `cached`
   * together are those that are cached now; those of `refused` and `failed` are those that should be and are not.
   */
  done(units: readonly DoneUnit[], listedBytes: number): Shortfall | undefined {
    this.#add("listed", 1, listedBytes);
    let present = 0;
    let before = 0;
    let short = 0;
    let worst: DoneUnit | undefined;
    for (const done of units) {
      present += done.result.presentBytes;
      before += done.result.cachedBeforeBytes;
      short += Math.max(0, done.bytes - done.result.presentBytes);
      if (this.#badness(done) > (worst === undefined ? 0 : this.#badness(worst))) worst = done;
    }
    if (units.length > 0 && units.every(({ result }) => result.verified)) {
      this.#sums.verifiedObjects++;
    }
    const mode = this.#mode;
    // What is handed over is known only when it has come.
    if (mode === "pull") this.#add("listed", 0, present);
    if (mode === "load" || mode === "audit" || mode === "pull") {
      this.#add("loaded", 0, present - before);
      this.#add("cached", 0, before);
    }
    if (worst !== undefined) {
      const { code, message } = worst.result;
      const lost = mode === "look" ? before - present : mode === "free" ? 0 : short;
      this.#add(this.#badness(worst) === 2 ? "failed" : "refused", 1, lost);
      return { code, message, workerId: worst.workerId };
    }
    if (mode === "free") this.#add(before > 0 ? "loaded" : "cached", 1, before);
    else if (mode === "look") {
      this.#add("loaded", 1, present);
      if (units.some(({ result }) => result.outcome === "changed")) this.changed();
    } else if (mode === "dry") {
      this.#add(short > 0 ? "loaded" : "cached", 1, 0);
      this.#add("loaded", 0, short);
      this.#add("cached", 0, present);
    } else this.#add(units.some(({ result }) => result.outcome === "loaded") ? "loaded" : "cached", 1, 0);
    return undefined;
  }

  /** 2: failed, 1: not cached although it should be, 0: well. */
  #badness({ result: { outcome } }: DoneUnit): number {
    if (outcome === "failed") return 2;
    if (outcome === "changed") return this.#mode === "look" || this.#mode === "free" ? 0 : 2;
    if (outcome === "refused") return 1;
    return outcome === "missing" && this.#mode !== "dry" ? 1 : 0;
  }

  #add(name: AmountName, objects: number, bytes: number): void {
    const amount = this.#sums[name];
    amount.objects += objects;
    amount.bytes += bytes;
  }
}

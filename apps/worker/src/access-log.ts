/** The last reads of each object on this worker, for `explain`. Bounded in objects and in reads each. */

/** One read as explain shows it. */
export interface Access {
  readonly atMs: number;
  readonly offset: number;
  readonly length: number;
  readonly outcome: string;
  readonly tier: string;
  readonly missReason: string;
  readonly durationMs: number;
  readonly traceId: string;
}

const MAX_OBJECTS = 4096;
const MAX_READS = 16;

/** Remembers accesses by path. */
export class AccessLog {
  readonly #count: ((path: string, access: Access) => void) | undefined;
  readonly #byPath = new Map<string, Access[]>();
  /** The path that was read last, which is the newest in the map already. */
  #last = "";
  #lastReads: Access[] = [];

  /** @param count told of the accesses */
  constructor(count?: (path: string, access: Access) => void) {
    this.#count = count;
  }

  /** @param counts false for a read that its owner counts */
  add(path: string, access: Access, counts = true): void {
    if (counts) this.#count?.(path, access);
    if (path === this.#last) {
      this.#lastReads.push(access);
      if (this.#lastReads.length > MAX_READS) this.#lastReads.shift();
      return;
    }
    const reads = this.#byPath.get(path) ?? [];
    this.#byPath.delete(path);
    this.#byPath.set(path, reads);
    this.#last = path;
    this.#lastReads = reads;
    reads.push(access);
    if (reads.length > MAX_READS) reads.shift();
    if (this.#byPath.size > MAX_OBJECTS) this.#byPath.delete(this.#byPath.keys().next().value ?? "");
  }

  /** The read whose trace id begins so, and the path that it was of. Looks through all that is remembered. */
  find(id: string): { readonly path: string; readonly access: Access } | undefined {
    for (const [path, reads] of this.#byPath) {
      const access = reads.find(({ traceId }) => traceId.startsWith(id));
      if (access !== undefined) return { path, access };
    }
    return undefined;
  }

  /** Newest first. */
  of(path: string): Access[] {
    return [...(this.#byPath.get(path) ?? [])].reverse();
  }
}

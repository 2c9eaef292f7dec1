/** The last reads of each object on this worker, for `explain`. Bounded in objects and in reads each. */
import { RecentMap } from "@ringlight/core";

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
/** A path that is read again becomes the newest after so many changes of path, and not at each: moving it in the map costs more than the rest. */
const MOVE_AFTER = MAX_OBJECTS / 8;

/** The reads of one path. */
interface PathReads {
  /** Once there are as many as are remembered, a new one takes the place of the oldest. */
  readonly reads: Access[];
  /** Where the oldest is then. */
  oldest: number;
  /** When it was last made the newest, in changes of path. */
  movedAt: number;
}

/** Remembers accesses by path. */
export class AccessLog {
  readonly #count: ((path: string, access: Access) => void) | undefined;
  /** Roughly in order of their last reads: a path stands before others by MOVE_AFTER at most. */
  readonly #byPath = new RecentMap<PathReads>(MAX_OBJECTS);
  /** The path that was read last. */
  #last = "";
  #lastReads: PathReads = { reads: [], oldest: 0, movedAt: 0 };
  #changes = 0;

  /** @param count told of the accesses */
  constructor(count?: (path: string, access: Access) => void) {
    this.#count = count;
  }

  /** @param counts false for a read that its owner counts */
  add(path: string, access: Access, counts = true): void {
    if (counts) this.#count?.(path, access);
    if (path !== this.#last) this.#change(path);
    const last = this.#lastReads;
    if (last.reads.length < MAX_READS) last.reads.push(access);
    else {
      last.reads[last.oldest] = access;
      last.oldest = (last.oldest + 1) % MAX_READS;
    }
  }

  /** Another path than before is read. */
  #change(path: string): void {
    this.#changes++;
    let known = this.#byPath.get(path);
    if (known === undefined) {
      known = { reads: [], oldest: 0, movedAt: this.#changes };
      this.#byPath.set(path, known);
    } else if (this.#changes - known.movedAt >= MOVE_AFTER) {
      known.movedAt = this.#changes;
      this.#byPath.use(path);
    }
    this.#last = path;
    this.#lastReads = known;
  }

  /** The read whose trace id begins so, and the path that it was of. Looks through all that is remembered. */
  find(id: string): { readonly path: string; readonly access: Access } | undefined {
    for (const [path, { reads }] of this.#byPath.entries()) {
      const access = reads.find(({ traceId }) => traceId.startsWith(id));
      if (access !== undefined) return { path, access };
    }
    return undefined;
  }

  /** Newest first. */
  of(path: string): Access[] {
    const { reads, oldest } = this.#byPath.get(path) ?? { reads: [], oldest: 0 };
    return [...reads.slice(oldest), ...reads.slice(0, oldest)].reverse();
  }
}

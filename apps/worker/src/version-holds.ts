/** Which versions are being read: the pages of one that was replaced stay until the last of its readers has ended. */
import type { VersionId } from "@ringlight/core";

interface Held {
  readers: number;
  replaced: boolean;
}

/** Counts readers by version. */
export class VersionHolds {
  readonly #drop: (version: VersionId) => void;
  readonly #held = new Map<VersionId, Held>();

  /** @param drop lets go of the pages of a version */
  constructor(drop: (version: VersionId) => void) {
    this.#drop = drop;
  }

  /** Versions that are being read. */
  get size(): number {
    return this.#held.size;
  }

  /** A reader has begun; what is returned is to be called when it has ended, and does nothing the second time. */
  hold(version: VersionId): () => void {
    const held = this.#held.get(version) ?? { readers: 0, replaced: false };
    held.readers++;
    this.#held.set(version, held);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      if (--held.readers > 0) return;
      this.#held.delete(version);
      if (held.replaced) this.#drop(version);
    };
  }

  /** Another version has taken its place: its pages go now, or with its last reader. */
  replaced(version: VersionId): void {
    const held = this.#held.get(version);
    if (held === undefined) this.#drop(version);
    else held.replaced = true;
  }
}

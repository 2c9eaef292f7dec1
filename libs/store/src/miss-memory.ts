/** What the store remembers of pages that it no longer holds, in a fixed number of bytes. */
import type { MissReason, VersionId } from "@ringlight/core";
import { mix32, pageHash, parseVersionId } from "./version-table.ts";

/** Reasons that the store itself can know; their positions, from 1 to 7, are what is stored. Two say which kind of rule evicted the page. */
const REASONS = ["evicted", "invalidated", "corrupt", "admission_refused", "ttl", "quota"] as const;

/** A reason that the memory can hold. */
export type RememberedReason = (typeof REASONS)[number];

const WAYS = 8;
const FINGERPRINT_MASK = ~7;

/**
 * A set-associative table of fingerprints: 8 ways a set, the oldest of a set is overwritten. An entry is 29 bits of a hash
 * that is independent of the set's number, and 3 bits of reason. A page never seen is taken for a remembered one with a
 * probability of at most 8 / 2^29; a remembered one is forgotten when 8 later ones fell into its set.
 */
export class MissMemory {
  readonly #entries: Uint32Array;
  readonly #sets: number;
  readonly #words = new Uint32Array(4);

  /** `capacity` is the number of pages remembered at most, a power of two; each costs 4 bytes. */
  constructor(capacity = 1 << 18) {
    this.#sets = Math.max(1, capacity / WAYS);
    this.#entries = new Uint32Array(this.#sets * WAYS);
  }

  /** Remembers why a page is not here; a later reason replaces an earlier one. */
  remember(version: VersionId, index: number, reason: RememberedReason): void {
    const fingerprint = this.#locate(version, index);
    const base = this.#base;
    const entries = this.#entries;
    let way = 0;
    while (way < WAYS - 1 && (entries[base + way]! & FINGERPRINT_MASK) >>> 0 !== fingerprint) way++;
    entries.copyWithin(base + 1, base, base + way);
    entries[base] = (fingerprint | (REASONS.indexOf(reason) + 1)) >>> 0;
  }

  /** Why a page is not here; cold if nothing is remembered of it. */
  reasonOf(version: VersionId, index: number): MissReason {
    const reason = this.recall(version, index);
    return reason === "ttl" || reason === "quota" ? "evicted" : (reason ?? "cold");
  }

  /** What is remembered of a page. */
  recall(version: VersionId, index: number): RememberedReason | undefined {
    const fingerprint = this.#locate(version, index);
    for (let way = 0; way < WAYS; way++) {
      const entry = this.#entries[this.#base + way]!;
      if (entry !== 0 && (entry & FINGERPRINT_MASK) >>> 0 === fingerprint) return REASONS[(entry & 7) - 1];
    }
    return undefined;
  }

  /** First entry of the set that was located last. */
  #base = 0;

  #locate(version: VersionId, index: number): number {
    parseVersionId(version, this.#words);
    this.#base = (pageHash(this.#words[2]!, index) % this.#sets) * WAYS;
    return (mix32(this.#words[3]! + Math.imul(index, 0x27d4eb2f)) & FINGERPRINT_MASK) >>> 0;
  }
}

/** Object versions as small integers, so that a page costs 4 bytes for its version and not 32 characters. */
import { RinglightError, type VersionId } from "@ringlight/core";

/** Spreads the bits of a 32-bit integer (the finisher of MurmurHash3). */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Hash of a page from one word of its version id; version ids are hashes themselves, so one word is enough to start. */
export function pageHash(versionWord: number, index: number): number {
  return mix32(versionWord ^ Math.imul(index + 1, 0x9e3779b1));
}

/** Reads a version id into four words. @throws RL_BAD_REQUEST for anything but 32 lower-case hex digits. */
export function parseVersionId(id: VersionId, into: Uint32Array): void {
  if (id.length !== 32) throw badVersion(id);
  for (let word = 0; word < 4; word++) {
    let value = 0;
    for (let at = word * 8; at < word * 8 + 8; at++) {
      const code = id.charCodeAt(at);
      if (code >= 48 && code <= 57) value = (value << 4) | (code - 48);
      else if (code >= 97 && code <= 102) value = (value << 4) | (code - 87);
      else throw badVersion(id);
    }
    into[word] = value;
  }
}

function badVersion(id: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", `"${id}" is not a version id; it must be 32 lower-case hex digits`);
}

/**
 * Interns version ids: open addressing in typed arrays, about 26 bytes a version. A reference lives as long as pages use it
 * (acquire and drop are counted); then its number is given to another version, so references are never kept across an await.
 */
export class VersionTable {
  #words = new Uint32Array(4 * 64);
  #uses = new Uint32Array(64);
  /** Reference + 1; 0 is an empty bucket. Linear probing, at most half full. */
  #buckets = new Int32Array(128);
  readonly #free: number[] = [];
  #top = 0;
  #count = 0;
  readonly #key = new Uint32Array(4);
  /** The version looked up last: sequential reads ask for one version many times. */
  #memoId = "";
  #memoRef = -1;

  /** Number of versions in use. */
  get size(): number {
    return this.#count;
  }

  /** The reference of a version, or -1 if no page uses it. @throws RL_BAD_REQUEST */
  find(id: VersionId): number {
    if (id === this.#memoId) return this.#memoRef;
    parseVersionId(id, this.#key);
    const ref = this.#buckets[this.#bucketOf(this.#key)]! - 1;
    if (ref >= 0) {
      this.#memoId = id;
      this.#memoRef = ref;
    }
    return ref;
  }

  /** The reference of a version, made if new, with one more use counted. @throws RL_BAD_REQUEST */
  acquire(id: VersionId): number {
    let ref = this.find(id);
    if (ref < 0) {
      if (this.#count * 2 >= this.#buckets.length) this.#rehash(this.#buckets.length * 2);
      ref = this.#free.pop() ?? this.#top++;
      if (ref >= this.#uses.length) this.#grow();
      this.#words.set(this.#key, ref * 4);
      this.#uses[ref] = 0;
      this.#buckets[this.#bucketOf(this.#key)] = ref + 1;
      this.#count++;
    }
    this.#uses[ref]!++;
    return ref;
  }

  /** Counts one use less; forgets the version with its last use. */
  drop(ref: number): void {
    if (--this.#uses[ref]! > 0) return;
    if (this.#memoRef === ref) {
      this.#memoId = "";
      this.#memoRef = -1;
    }
    this.#key.set(this.#words.subarray(ref * 4, ref * 4 + 4));
    this.#removeBucket(this.#bucketOf(this.#key));
    this.#free.push(ref);
    this.#count--;
  }

  /** The id behind a reference. */
  idOf(ref: number): VersionId {
    let id = "";
    for (let word = 0; word < 4; word++) id += this.#words[ref * 4 + word]!.toString(16).padStart(8, "0");
    return id;
  }

  /** Hash of a page of the version. */
  hashOf(ref: number, index: number): number {
    return pageHash(this.#words[ref * 4]!, index);
  }

  /** The bucket that holds the key, or the empty one where it belongs. */
  #bucketOf(key: Uint32Array): number {
    const mask = this.#buckets.length - 1;
    let at = key[1]! & mask;
    for (;;) {
      const ref = this.#buckets[at]! - 1;
      if (ref < 0) return at;
      const base = ref * 4;
      const words = this.#words;
      if (
        words[base] === key[0] &&
        words[base + 1] === key[1] &&
        words[base + 2] === key[2] &&
        words[base + 3] === key[3]
      ) {
        return at;
      }
      at = (at + 1) & mask;
    }
  }

  /** Empties a bucket and moves later ones of the same run back, so that no tombstones are needed. */
  #removeBucket(bucket: number): void {
    const mask = this.#buckets.length - 1;
    let hole = bucket;
    let at = bucket;
    for (;;) {
      at = (at + 1) & mask;
      const entry = this.#buckets[at]!;
      if (entry === 0) break;
      const home = this.#words[(entry - 1) * 4 + 1]! & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        this.#buckets[hole] = entry;
        hole = at;
      }
    }
    this.#buckets[hole] = 0;
  }

  #rehash(length: number): void {
    const old = this.#buckets;
    this.#buckets = new Int32Array(length);
    const mask = length - 1;
    for (const entry of old) {
      if (entry === 0) continue;
      let at = this.#words[(entry - 1) * 4 + 1]! & mask;
      while (this.#buckets[at] !== 0) at = (at + 1) & mask;
      this.#buckets[at] = entry;
    }
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const uses = new Uint32Array(this.#uses.length * 2);
    uses.set(this.#uses);
    this.#uses = uses;
  }
}

/** Object versions as small integers, so that a page costs 4 bytes for its version and not 32 characters. */
import { RinglightError, type VersionId } from "@ringlight/core";
import { SlotBuckets } from "./slot-buckets.ts";
import { grown } from "./typed-array.ts";

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

/** Values of hex digits by character code; -1 for what is none. A look-up, since which range a digit lies in cannot be foretold. */
const DIGITS = new Int32Array(128).fill(-1);
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value;

/** Reads a version id into four words. @throws RL_BAD_REQUEST for anything but 32 lower-case hex digits. */
export function parseVersionId(id: VersionId, into: Uint32Array): void {
  if (id.length !== 32) throw badVersion(id);
  let bad = 0;
  for (let word = 0; word < 4; word++) {
    let value = 0;
    for (let at = word * 8; at < word * 8 + 8; at++) {
      const code = id.charCodeAt(at);
      // A character beyond the table gives undefined, which counts as 0 below.
      const digit = DIGITS[code]!;
      bad |= digit | (127 - code);
      value = (value << 4) | digit;
    }
    into[word] = value;
  }
  if (bad < 0) throw badVersion(id);
}

/** The word of a version id that pageHash() takes. */
export function versionWord(id: VersionId): number {
  return Number.parseInt(id.slice(0, 8), 16) >>> 0;
}

/** The version id of four words that begin at a place of an array. */
export function formatVersionId(words: Uint32Array, at: number): VersionId {
  let id = "";
  for (let word = 0; word < 4; word++) id += words[at + word]!.toString(16).padStart(8, "0");
  return id;
}

/** Versions whose words are kept, a power of two and at most 256. */
const KEYS = 64;

/** Where the words of a version are kept: the low bits of its last word, or anything for what is no version id. */
function placeOf(id: VersionId): number {
  return ((DIGITS[id.charCodeAt(30)]! << 4) | DIGITS[id.charCodeAt(31)]!) & (KEYS - 1);
}

function badVersion(id: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", `"${id}" is not a version id; it must be 32 lower-case hex digits`);
}

/**
 * Interns the ids of versions with more than one page: open addressing in typed arrays, about 25 bytes a version. A reference
 * lives as long as pages use it (acquire and drop are counted); then its number is given to another version, so references are
 * never kept across an await.
 */
export class VersionTable {
  #words = new Uint32Array(4 * 64);
  #uses = new Uint32Array(64);
  readonly #buckets = new SlotBuckets((ref) => this.#words[ref * 4 + 1]!);
  readonly #free: number[] = [];
  #top = 0;
  #count = 0;
  /**
   * Versions looked up of late, their words, and their references where those are known: reads ask for the same ones many
   * times. Their places are the low bits of the last word.
   */
  readonly #keyIds = new Array<string>(KEYS).fill("");
  readonly #keys = Array.from({ length: KEYS }, () => new Uint32Array(4));
  readonly #keyRefs = new Int32Array(KEYS).fill(-1);

  /** Number of versions in use. */
  get size(): number {
    return this.#count;
  }

  /** The four words of a version id, until the next call. @throws RL_BAD_REQUEST */
  wordsOf(id: VersionId): Uint32Array {
    const place = placeOf(id);
    const key = this.#keys[place]!;
    if (id !== this.#keyIds[place]) {
      this.#keyIds[place] = "";
      this.#keyRefs[place] = -1;
      parseVersionId(id, key);
      this.#keyIds[place] = id;
    }
    return key;
  }

  /** The reference of a version, or -1 if no page uses it. @throws RL_BAD_REQUEST */
  find(id: VersionId): number {
    return this.findWords(this.wordsOf(id));
  }

  /** The same by the version's four words. */
  findWords(key: Uint32Array): number {
    const place = key[3]! & (KEYS - 1);
    const isKept = key === this.#keys[place];
    const known = isKept ? this.#keyRefs[place]! : -1;
    if (known >= 0) return known;
    for (let ref = this.#buckets.first(key[1]!); ref >= 0; ref = this.#buckets.next()) {
      if (this.#hasWords(ref, key)) {
        if (isKept) this.#keyRefs[place] = ref;
        return ref;
      }
    }
    return -1;
  }

  /** Whether a reference is that of the version with these words. */
  is(ref: number, key: Uint32Array): boolean {
    const place = key[3]! & (KEYS - 1);
    const isKept = key === this.#keys[place];
    const known = isKept ? this.#keyRefs[place]! : -1;
    if (known >= 0) return known === ref;
    if (!this.#hasWords(ref, key)) return false;
    if (isKept) this.#keyRefs[place] = ref;
    return true;
  }

  /** The reference of the version with these words, made if new, with one more use counted. */
  acquire(key: Uint32Array): number {
    let ref = this.findWords(key);
    if (ref < 0) {
      ref = this.#free.pop() ?? this.#top++;
      if (ref * 4 >= this.#words.length) this.#words = grown(this.#words, ref * 4 + 4);
      if (ref >= this.#uses.length) this.#uses = grown(this.#uses, ref + 1);
      this.#words.set(key, ref * 4);
      this.#uses[ref] = 0;
      this.#buckets.add(key[1]!, ref);
      if (key === this.#keys[key[3]! & (KEYS - 1)]) this.#keyRefs[key[3]! & (KEYS - 1)] = ref;
      this.#count++;
    }
    this.#uses[ref]!++;
    return ref;
  }

  /** Counts one use less; forgets the version with its last use. */
  drop(ref: number): void {
    if (--this.#uses[ref]! > 0) return;
    const place = this.#words[ref * 4 + 3]! & (KEYS - 1);
    if (this.#keyRefs[place] === ref) this.#keyRefs[place] = -1;
    this.#buckets.remove(this.#words[ref * 4 + 1]!, ref);
    this.#free.push(ref);
    this.#count--;
  }

  /** Copies the four words of a version to a place of an array. */
  copyWords(ref: number, into: Uint32Array, at: number): void {
    for (let word = 0; word < 4; word++) into[at + word] = this.#words[ref * 4 + word]!;
  }

  /** The id behind a reference. */
  idOf(ref: number): VersionId {
    return formatVersionId(this.#words, ref * 4);
  }

  /** Hash of a page of the version. */
  hashOf(ref: number, index: number): number {
    return pageHash(this.#words[ref * 4]!, index);
  }

  /** The same by the version's id, whether it is known or not. @throws RL_BAD_REQUEST */
  hashOfPage(id: VersionId, index: number): number {
    return pageHash(this.wordsOf(id)[0]!, index);
  }

  #hasWords(ref: number, key: Uint32Array): boolean {
    const words = this.#words;
    const at = ref * 4;
    return words[at + 1] === key[1] && words[at] === key[0] && words[at + 2] === key[2] && words[at + 3] === key[3];
  }
}

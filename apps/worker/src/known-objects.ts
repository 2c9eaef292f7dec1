/**
 * What this worker has forgotten that it knew, over restarts too: a Bloom filter (Bloom 1970) of the objects whose metadata
 * it learned, kept beside its pages. An object that nothing is known of is best learned by the GET of its first bytes; one whose
 * pages may have survived is asked for by a HEAD, since its bytes are here.
 *
 * A wrong "yes" costs a HEAD, a wrong "no" some bytes that were here already; neither costs a right answer, so that the file
 * is written now and then and at the end, and is never worth a failed start.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";

/** 2^24 bits: one wrong "yes" in a hundred with two million objects. */
const BYTES = 2 * 1024 * 1024;
const HASHES = 4;
/** How often a changed filter is written, milliseconds. */
const SAVE_MS = 15_000;
/** A process that lived so long has learned again what is still asked for: what was known before it is let go of. */
const GENERATION_MS = 24 * 60 * 60_000;

/** The filter of one worker. */
export class KnownObjects {
  readonly #file: string;
  readonly #now = new Uint8Array(BYTES);
  readonly #before: Uint8Array | undefined;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #at = new Uint32Array(HASHES);
  #changed = false;
  #saving: Promise<void> | undefined;

  /** Reads the file, if it is there and whole. */
  constructor(file: string) {
    this.#file = file;
    try {
      const bytes = readFileSync(file);
      if (bytes.length === BYTES) this.#before = bytes;
    } catch {
      // The first start, or a file that cannot be read: nothing is known.
    }
    this.#timer = setInterval(() => void this.#save(), SAVE_MS).unref();
  }

  /** True when this process, or one before it, learned of the object. @param id mount identity and key */
  has(id: string): boolean {
    this.#hash(id);
    return this.#isIn(this.#now) || (this.#before !== undefined && this.#isIn(this.#before));
  }

  /** The object's metadata was learned. */
  add(id: string): void {
    this.#hash(id);
    for (const bit of this.#at) this.#now[bit >>> 3]! |= 1 << (bit & 7);
    this.#changed = true;
  }

  /** Writes what is new. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saving;
    if (this.#changed) {
      try {
        writeFileSync(this.#file, this.#image(), { mode: 0o600 });
      } catch {
        // A full disk, say: the next start learns anew.
      }
      this.#changed = false;
    }
  }

  #isIn(bits: Uint8Array): boolean {
    return this.#at.every((bit) => (bits[bit >>> 3]! & (1 << (bit & 7))) !== 0);
  }

  #save(): Promise<void> {
    if (!this.#changed || this.#saving !== undefined) return Promise.resolve();
    this.#changed = false;
    const temporary = `${this.#file}.tmp`;
    this.#saving = writeFile(temporary, this.#image(), { mode: 0o600 })
      .then(() => rename(temporary, this.#file))
      .catch(() => {
        this.#changed = true;
      })
      .finally(() => {
        this.#saving = undefined;
      });
    return this.#saving;
  }

  #image(): Uint8Array {
    const image = Uint8Array.from(this.#now);
    const before = performance.now() - this.#startedMs < GENERATION_MS ? this.#before : undefined;
    if (before !== undefined) for (let at = 0; at < BYTES; at++) image[at]! |= before[at]!;
    return image;
  }

  /** Double hashing (Kirsch and Mitzenmacher 2006) over two runs of FNV-1a with different seeds. */
  #hash(id: string): void {
    let one = 0x811c9dc5;
    let two = 0x9747b28c;
    for (let index = 0; index < id.length; index++) {
      const code = id.charCodeAt(index);
      one = Math.imul(one ^ code, 0x01000193);
      two = Math.imul(two ^ code, 0x85ebca6b) ^ (two >>> 15);
    }
    one ^= one >>> 15;
    two |= 1;
    for (let step = 0; step < HASHES; step++) this.#at[step] = (one + Math.imul(step, two)) & (BYTES * 8 - 1);
  }
}

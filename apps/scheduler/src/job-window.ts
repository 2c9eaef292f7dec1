/**
 * What a pass has in hand, in the order in which it was listed: up to where everything is done, and what is done beyond.
 * That is all that a checkpoint needs: the next leader lists from the mark on and leaves out what is done beyond it.
 */
import { hash } from "node:crypto";

/** A place in the sources of a job. */
export interface Place {
  readonly source: number;
  /** Where the source goes on. */
  readonly after: string;
}

interface Entry extends Place {
  readonly path: string;
  /** Its short name, once a checkpoint has needed it. */
  name?: string;
  done: boolean;
}

const HASH_BYTES = 8;

/** A short name of a path; two of a window's few thousand paths share one with a chance of one in 10^12. */
export function shortName(path: string): string {
  return hash("sha256", path, "buffer").toString("latin1", 0, HASH_BYTES);
}

/** The objects in hand. */
export class Window {
  readonly #entries: Entry[] = [];
  #first = 0;
  #mark: Place;
  /** Number of the objects up to the mark. */
  #position: number;

  constructor(mark: Place, position: number) {
    this.#mark = mark;
    this.#position = position;
  }

  /** Objects that are in hand, done ones among them that wait for one before them. */
  get size(): number {
    return this.#entries.length - this.#first;
  }

  get mark(): Place {
    return this.#mark;
  }

  get position(): number {
    return this.#position;
  }

  /** Takes an object in hand; call the result when it is done. */
  enter(place: Place, path: string): () => void {
    const entry: Entry = { source: place.source, after: place.after, path, done: false };
    this.#entries.push(entry);
    return () => {
      entry.done = true;
      this.#advance();
    };
  }

  /** Names of what is done beyond the mark, as base64. */
  doneBeyond(): string {
    let names = "";
    for (let index = this.#first; index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry?.done) {
        entry.name ??= shortName(entry.path);
        names += entry.name;
      }
    }
    return Buffer.from(names, "latin1").toString("base64");
  }

  #advance(): void {
    for (let entry = this.#entries[this.#first]; entry?.done; entry = this.#entries[this.#first]) {
      this.#mark = entry;
      this.#position++;
      this.#first++;
    }
    if (this.#first < 1024 || this.#first * 2 < this.#entries.length) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }
}

/** The names out of a checkpoint. */
export function namesOf(doneBeyond: string): Set<string> {
  const text = Buffer.from(doneBeyond, "base64").toString("latin1");
  const names = new Set<string>();
  for (let at = 0; at + HASH_BYTES <= text.length; at += HASH_BYTES) names.add(text.slice(at, at + HASH_BYTES));
  return names;
}

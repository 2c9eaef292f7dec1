/** A bound in bytes on what is being fetched at once. */

/** Of the budget, what work in the background may use at most while readers may come. */
const BACKGROUND_SHARE = 0.5;

/**
 * First come, first served. A request larger than the whole budget is let through alone. Work in the background waits for
 * as long as a reader does, and uses no more than half, so that a reader who comes does not wait for it.
 */
export class FetchBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;
  readonly #queue: { readonly bytes: number; readonly resume: () => void }[] = [];
  readonly #background: { readonly bytes: number; readonly resume: () => void }[] = [];

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Takes the bytes if they are free now and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#queue.length > 0 || !this.#fits(bytes)) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** Waits for the bytes and takes them. */
  take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return Promise.resolve();
    return new Promise((resolve) => this.#queue.push({ bytes, resume: resolve }));
  }

  /** Waits for the bytes and takes them, behind every reader. */
  takeInBackground(bytes: number): Promise<void> {
    if (this.#background.length === 0 && this.#queue.length === 0 && this.#fitsBackground(bytes)) {
      this.#usedBytes += bytes;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#background.push({ bytes, resume: resolve }));
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    for (let head = this.#queue[0]; head !== undefined && this.#fits(head.bytes); head = this.#queue[0]) {
      this.#queue.shift();
      this.#usedBytes += head.bytes;
      head.resume();
    }
    if (this.#queue.length > 0) return;
    for (
      let head = this.#background[0];
      head !== undefined && this.#fitsBackground(head.bytes);
      head = this.#background[0]
    ) {
      this.#background.shift();
      this.#usedBytes += head.bytes;
      head.resume();
    }
  }

  #fitsBackground(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limitBytes * BACKGROUND_SHARE;
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limitBytes;
  }
}

/** A bound in bytes on what is being fetched at once. */

/** First come, first served. A request larger than the whole budget is let through alone. */
export class FetchBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;
  readonly #queue: { readonly bytes: number; readonly resume: () => void }[] = [];

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

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    for (let head = this.#queue[0]; head !== undefined && this.#fits(head.bytes); head = this.#queue[0]) {
      this.#queue.shift();
      this.#usedBytes += head.bytes;
      head.resume();
    }
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limitBytes;
  }
}

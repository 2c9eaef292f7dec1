/** A meeting place of lanes: all go on when the last has come; one that has ended is not waited for. */
export class Barrier {
  #members: number;
  #waiting: (() => void)[] = [];

  constructor(members: number) {
    this.#members = members;
  }

  /** Resolves when all members are here. */
  arrive(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#open();
    });
  }

  /** One member less. */
  leave(): void {
    this.#members--;
    this.#open();
  }

  #open(): void {
    if (this.#members > this.#waiting.length || this.#waiting.length === 0) return;
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** Seeded numbers of the workloads: each purpose has a stream of its own, so that one more draw here changes nothing there. */

const TWO_32 = 2 ** 32;

/** FNV-1a, 32 bits: the same on every machine. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** A stream of numbers: Chris Doty-Humphrey's sfc32 (PractRand), 128 bits of state. */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The stream of a purpose under a seed. */
  constructor(seed: number, purpose: string) {
    this.#a = hashText(`${purpose}/a/${seed}`);
    this.#b = hashText(`${purpose}/b/${seed}`);
    this.#c = seed >>> 0;
    for (let round = 0; round < 12; round++) this.#next32();
  }

  #next32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    return this.#next32() / TWO_32;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A draw of the normal distribution, by Box and Muller. */
  normal(mean: number, deviation: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.next());
  }

  /** A draw of the exponential distribution. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** The numbers below `count` in a random order (Fisher and Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, at) => at);
    for (let at = count - 1; at > 0; at--) {
      const other = this.below(at + 1);
      const swap = order[at]!;
      order[at] = order[other]!;
      order[other] = swap;
    }
    return order;
  }
}

/** Ranks 0 to `count` - 1 by Zipf's law. */
export class ZipfRanks {
  readonly #cumulative: Float64Array;

  constructor(count: number, exponent: number) {
    this.#cumulative = new Float64Array(count);
    let total = 0;
    for (let rank = 0; rank < count; rank++) {
      total += (rank + 1) ** -exponent;
      this.#cumulative[rank] = total;
    }
  }

  draw(random: RandomStream): number {
    const { length } = this.#cumulative;
    const wanted = random.next() * this.#cumulative[length - 1]!;
    let low = 0;
    let high = length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#cumulative[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

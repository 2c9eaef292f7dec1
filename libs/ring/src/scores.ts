import { murmur3 } from "./hash-key.ts";
import type { RingMember } from "./members.ts";

/**
 * The scores of weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindler 2005): every member
 * draws for every arc a time -ln(1 - u) / weight, and the earliest member is the arc's first choice. The draw depends
 * on nothing but the member's id and weight and the arc, so a member that comes or goes changes no order among the others.
 *
 * `u` is (rank + jitter) / arcs, where the rank is the arc's place in a pseudo-random *permutation* of the arcs that
 * belongs to the member. A permutation can be walked in the order of its ranks, that is in the order of the member's
 * times, so the first few choices of all arcs are found in time proportional to the arcs, not to arcs × members.
 *
 * Everything is made of 32-bit integer arithmetic and of IEEE 754 + - × ÷, which are exact to the bit in every engine.
 * Math.log is not, and the ring that a browser draws must be the ring that the workers route by.
 */
export class Scores {
  readonly #arcs: number;
  readonly #mask: number;
  readonly #shift: number;
  /** STRIDE numbers a member: three odd multipliers, their inverses modulo 2^32, three offsets, the jitter's seed. */
  readonly #keys: Int32Array;
  readonly #weights: Float64Array;

  constructor(members: readonly RingMember[], arcs: number) {
    this.#arcs = arcs;
    this.#mask = arcs - 1;
    // A right shift by at least half the width is its own inverse under xor, which rankOf relies on.
    this.#shift = (32 - Math.clz32(arcs)) >> 1;
    this.#keys = new Int32Array(members.length * STRIDE);
    this.#weights = Float64Array.from(members, (member) => member.weight);
    members.forEach((member, index) => {
      const at = index * STRIDE;
      for (let round = 0; round < 3; round++) {
        const multiplier = murmur3(member.id, 0x6d756c74 + round) | 1;
        this.#keys[at + round] = multiplier;
        this.#keys[at + 3 + round] = inverse(multiplier);
        this.#keys[at + 6 + round] = murmur3(member.id, 0x61646474 + round);
      }
      this.#keys[at + 9] = murmur3(member.id, 0x6a697474);
    });
  }

  /** The arc that has the given rank (0 is the earliest) with the member. */
  arcAt(member: number, rank: number): number {
    const keys = this.#keys;
    const at = member * STRIDE;
    const mask = this.#mask;
    const shift = this.#shift;
    let x = Math.imul(rank + keys[at + 6]!, keys[at]!) & mask;
    x ^= x >>> shift;
    x = Math.imul(x + keys[at + 7]!, keys[at + 1]!) & mask;
    x ^= x >>> shift;
    x = Math.imul(x + keys[at + 8]!, keys[at + 2]!) & mask;
    return x ^ (x >>> shift);
  }

  /** The rank of an arc with the member: arcAt(member, rankOf(member, arc)) is the arc. */
  rankOf(member: number, arc: number): number {
    const keys = this.#keys;
    const at = member * STRIDE;
    const mask = this.#mask;
    const shift = this.#shift;
    let x = arc ^ (arc >>> shift);
    x = (Math.imul(x, keys[at + 5]!) - keys[at + 8]!) & mask;
    x ^= x >>> shift;
    x = (Math.imul(x, keys[at + 4]!) - keys[at + 7]!) & mask;
    x ^= x >>> shift;
    return (Math.imul(x, keys[at + 3]!) - keys[at + 6]!) & mask;
  }

  /** The member's time for the arc of the given rank; it grows strictly with the rank. */
  timeAt(member: number, rank: number): number {
    let jitter = Math.imul(rank ^ this.#keys[member * STRIDE + 9]!, 0x9e3779b1);
    jitter = Math.imul(jitter ^ (jitter >>> 15), 0x85ebca6b);
    jitter = (jitter ^ (jitter >>> 13)) >>> 0;
    return exponential((rank + jitter / 4294967296) / this.#arcs) / this.#weights[member]!;
  }

  /** The member's time for an arc: smaller is preferred. */
  time(member: number, arc: number): number {
    return this.timeAt(member, this.rankOf(member, arc));
  }
}

const STRIDE = 10;

/** The inverse of an odd number modulo 2^32, by Newton's iteration: each step doubles the good bits, from three. */
function inverse(odd: number): number {
  let x = odd;
  for (let step = 0; step < 4; step++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

// biome-ignore lint/suspicious/noApproximativeNumericConstant: the standard leaves the last bits of Math.LN2 to the engine.
const LN_2 = 0.6931471805599453;

/**
 * -ln(1 - u) for u in [0, 1): an exponential variate from a uniform one. By halving into [0.5, 1] and the series of
 * 2 artanh((1-y)/(1+y)); the error stays below 1e-9, far below the spacing of the ranks.
 */
function exponential(u: number): number {
  let y = 1 - u;
  let whole = 0;
  while (y < 0.5) {
    y *= 2;
    whole += LN_2;
  }
  const z = (1 - y) / (1 + y);
  const q = z * z;
  const series = 1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15)))))));
  return whole + 2 * z * series;
}

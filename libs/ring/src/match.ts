import { murmur3 } from "./hash-key.ts";
import type { RingMember } from "./members.ts";
import { NOBODY, nextChoice } from "./preferences.ts";
import type { Scores } from "./scores.ts";

/**
 * The most arcs that each member may own as primary: its fair share times the cap. The fraction left over is rounded by
 * a draw of the member's own, so that a change of the membership lowers the limits of a few members by one arc instead
 * of everybody's at once. Never below the fair share rounded up: every arc must find an owner.
 */
export function loadLimits(members: readonly RingMember[], arcs: number, loadCap: number): Uint32Array {
  const totalWeight = members.reduce((sum, member) => sum + member.weight, 0);
  return Uint32Array.from(members, ({ id, weight }) => {
    const fair = (arcs * weight) / totalWeight;
    const draw = murmur3(id, 0x6c696d69) / 4294967296;
    return Math.max(Math.ceil(fair), Math.floor(fair * loadCap + draw));
  });
}

/**
 * Gives every arc its primary: a stable matching of arcs to members with limits (Gale and Shapley 1962). Each arc asks
 * its choices in order of score; a member over its limit lets go of the arcs that scored worst with it, and those ask
 * on. Both sides rank a pair by the same score, so there is exactly one stable matching: the result depends neither on
 * the order of the steps nor on history, and a change of the membership disturbs only the arcs that must make room.
 *
 * @param choices - First choices of every arc in order of score, `depth` a row.
 * @returns the index of each arc's primary.
 */
export function matchPrimaries(
  choices: Uint16Array,
  depth: number,
  limits: Uint32Array,
  scores: Scores,
  arcs: number,
): Uint16Array {
  const primaries = new Uint16Array(arcs);
  const counts = new Uint32Array(limits.length);
  for (let arc = 0; arc < arcs; arc++) {
    const first = choices[arc * depth]!;
    primaries[arc] = first;
    counts[first]!++;
  }
  const held = new Map<number, HeldArcs>();
  const rejected: number[] = [];
  const arcsOfFull = new Map<number, number[]>();
  for (let member = 0; member < limits.length; member++) {
    if (counts[member]! > limits[member]!) arcsOfFull.set(member, []);
  }
  for (let arc = 0; arc < arcs; arc++) arcsOfFull.get(primaries[arc]!)?.push(arc);
  for (const [member, owned] of arcsOfFull) {
    const heap = new HeldArcs(member, scores, owned);
    held.set(member, heap);
    while (heap.size > limits[member]!) rejected.push(heap.takeWorst());
    counts[member] = heap.size;
  }
  for (let arc = rejected.pop(); arc !== undefined; arc = rejected.pop()) {
    const member = following(choices, depth, arc, primaries[arc]!, limits.length, scores);
    primaries[arc] = member;
    let heap = held.get(member);
    if (heap) heap.add(arc);
    counts[member]!++;
    if (counts[member]! <= limits[member]!) continue;
    if (!heap) {
      heap = new HeldArcs(member, scores, ownedBy(member, primaries, arcs));
      held.set(member, heap);
    }
    rejected.push(heap.takeWorst());
    counts[member]!--;
  }
  return primaries;
}

/** The choice of the arc that comes behind `refusing`: from the row, or beyond it from all members. */
function following(
  choices: Uint16Array,
  depth: number,
  arc: number,
  refusing: number,
  memberCount: number,
  scores: Scores,
): number {
  for (let slot = 0; slot < depth - 1; slot++) {
    if (choices[arc * depth + slot] === refusing) return choices[arc * depth + slot + 1]!;
  }
  const next = nextChoice(arc, refusing, memberCount, scores);
  // The limits add up to the arcs or more, so an arc cannot be refused by everybody.
  if (next === NOBODY) throw new Error(`arc ${arc} was refused by every member`);
  return next;
}

/** The arcs of a member that has refused none yet: an arc on its way to the next choice is still noted at who refused it. */
function ownedBy(member: number, primaries: Uint16Array, arcs: number): number[] {
  const owned: number[] = [];
  for (let arc = 0; arc < arcs; arc++) if (primaries[arc] === member) owned.push(arc);
  return owned;
}

/** A binary heap of the arcs that a member holds, the one that scored worst on top (of equals the larger arc). */
class HeldArcs {
  readonly #member: number;
  readonly #scores: Scores;
  readonly #arcs: number[] = [];
  readonly #times: number[] = [];

  constructor(member: number, scores: Scores, arcs: readonly number[]) {
    this.#member = member;
    this.#scores = scores;
    for (const arc of arcs) this.add(arc);
  }

  get size(): number {
    return this.#arcs.length;
  }

  add(arc: number): void {
    const time = this.#scores.time(this.#member, arc);
    let at = this.#arcs.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#worse(time, arc, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#arcs[at] = arc;
    this.#times[at] = time;
  }

  /** Removes and returns the arc that scored worst. */
  takeWorst(): number {
    const worst = this.#arcs[0]!;
    const arc = this.#arcs.pop()!;
    const time = this.#times.pop()!;
    const size = this.#arcs.length;
    if (size === 0) return worst;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#worse(this.#times[child + 1]!, this.#arcs[child + 1]!, child)) child++;
      if (this.#worse(time, arc, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#arcs[at] = arc;
    this.#times[at] = time;
    return worst;
  }

  #worse(time: number, arc: number, at: number): boolean {
    const other = this.#times[at]!;
    return time > other || (time === other && arc > this.#arcs[at]!);
  }

  #move(from: number, to: number): void {
    this.#arcs[to] = this.#arcs[from]!;
    this.#times[to] = this.#times[from]!;
  }
}

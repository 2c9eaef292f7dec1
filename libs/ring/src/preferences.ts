import type { RingMember } from "./members.ts";
import type { Scores } from "./scores.ts";

/** Stands in a table for "nobody". */
export const NOBODY = 0xffff;

/**
 * The first `depth` choices of every arc in order of score, without regard to load: row `arc` is at arc × depth.
 * `times` holds the scores of the choices; both are scratch of one build, only `choices` outlives it.
 */
class Rows {
  readonly depth: number;
  readonly choices: Uint16Array;
  readonly #times: Float64Array;

  constructor(arcs: number, depth: number) {
    this.depth = depth;
    this.choices = new Uint16Array(arcs * depth).fill(NOBODY);
    this.#times = new Float64Array(arcs * depth).fill(Number.POSITIVE_INFINITY);
  }

  /** Puts the member where it belongs among the arc's choices, if it belongs there. Equal times go to the smaller index. */
  offer(arc: number, member: number, time: number): void {
    const first = arc * this.depth;
    let at = first + this.depth - 1;
    const times = this.#times;
    const choices = this.choices;
    if (!precedes(time, member, times[at]!, choices[at]!)) return;
    for (; at > first && precedes(time, member, times[at - 1]!, choices[at - 1]!); at--) {
      times[at] = times[at - 1]!;
      choices[at] = choices[at - 1]!;
    }
    times[at] = time;
    choices[at] = member;
  }

  /** True when the arc has all its choices. */
  full(arc: number): boolean {
    return this.choices[arc * this.depth + this.depth - 1] !== NOBODY;
  }

  clear(arc: number): void {
    this.choices.fill(NOBODY, arc * this.depth, (arc + 1) * this.depth);
    this.#times.fill(Number.POSITIVE_INFINITY, arc * this.depth, (arc + 1) * this.depth);
  }

  /** Takes over a row whose choices are known. */
  adopt(arc: number, slot: number, member: number, time: number): void {
    this.choices[arc * this.depth + slot] = member;
    this.#times[arc * this.depth + slot] = time;
  }
}

function precedes(time: number, member: number, otherTime: number, otherMember: number): boolean {
  return time < otherTime || (time === otherTime && member < otherMember);
}

/**
 * Finds the first choices of all arcs. Every member walks the arcs in the order of its times up to a common time at
 * which an arc has seen `depth + 9` members on average; the few arcs that have seen fewer than `depth` by then (Poisson:
 * about 1 in 2,000 for a depth of 3) ask everybody. Costs about arcs × (depth + 9) steps however many members there are.
 */
export function findPreferences(
  members: readonly RingMember[],
  scores: Scores,
  arcs: number,
  depth: number,
): Uint16Array {
  const rows = new Rows(arcs, depth);
  const totalWeight = members.reduce((sum, member) => sum + member.weight, 0);
  const horizon = (depth + 9) / totalWeight;
  for (let member = 0; member < members.length; member++) {
    for (let rank = 0; rank < arcs; rank++) {
      const time = scores.timeAt(member, rank);
      if (time > horizon) break;
      rows.offer(scores.arcAt(member, rank), member, time);
    }
  }
  for (let arc = 0; arc < arcs; arc++) {
    if (!rows.full(arc)) askEverybody(rows, arc, members.length, scores);
  }
  return rows.choices;
}

/**
 * The same choices as findPreferences, from those of an earlier ring: only arcs that had chosen a member that is gone
 * (or has another weight) ask everybody again; members that are new are offered to all.
 *
 * @param previous - The earlier ring's choices, of the same arcs and depth.
 * @param translate - For each index of the earlier ring the index in this one, or NOBODY for a member that is gone.
 * @param added - Indices in this ring of the members that are new.
 */
export function updatePreferences(
  previous: Uint16Array,
  translate: Uint16Array,
  added: readonly number[],
  memberCount: number,
  scores: Scores,
  arcs: number,
  depth: number,
): Uint16Array {
  const rows = new Rows(arcs, depth);
  for (let arc = 0; arc < arcs; arc++) {
    let kept = true;
    for (let slot = 0; slot < depth && kept; slot++) {
      const member = translate[previous[arc * depth + slot]!]!;
      if (member === NOBODY) kept = false;
      else rows.adopt(arc, slot, member, scores.time(member, arc));
    }
    if (kept) for (const member of added) rows.offer(arc, member, scores.time(member, arc));
    else askEverybody(rows, arc, memberCount, scores);
  }
  return rows.choices;
}

function askEverybody(rows: Rows, arc: number, memberCount: number, scores: Scores): void {
  rows.clear(arc);
  for (let member = 0; member < memberCount; member++) rows.offer(arc, member, scores.time(member, arc));
}

/** The member that the arc would choose after `after`: the earliest of all that come behind it, or NOBODY. */
export function nextChoice(arc: number, after: number, memberCount: number, scores: Scores): number {
  const afterTime = scores.time(after, arc);
  let best = NOBODY;
  let bestTime = Number.POSITIVE_INFINITY;
  for (let member = 0; member < memberCount; member++) {
    const time = scores.time(member, arc);
    if (precedes(afterTime, after, time, member) && precedes(time, member, bestTime, best)) {
      best = member;
      bestTime = time;
    }
  }
  return best;
}

/** The arc's first `count` choices of all members, in order of score. */
export function allChoices(arc: number, count: number, memberCount: number, scores: Scores): number[] {
  const times = Float64Array.from({ length: memberCount }, (_, member) => scores.time(member, arc));
  const order = Array.from({ length: memberCount }, (_, member) => member);
  order.sort((a, b) => times[a]! - times[b]! || a - b);
  return order.slice(0, count);
}

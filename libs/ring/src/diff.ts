import { RinglightError } from "@ringlight/core";
import type { RingMember } from "./members.ts";
import { buildRing, type Ring } from "./ring.ts";

/** What a change of the ring does to one member. */
export interface MemberDiff {
  readonly id: string;
  /** Arcs that the member becomes primary of. */
  readonly gainedArcs: number;
  /** Arcs that the member ceases to be primary of. */
  readonly lostArcs: number;
  /** Fraction of all arcs before the change; 0 if it was not a member. */
  readonly shareBefore: number;
  /** Fraction of all arcs after the change; 0 if it is a member no more. */
  readonly shareAfter: number;
}

/** Arcs that go from one primary to another. Undefined stands for nobody: that ring has no members. */
export interface RingMove {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly arcs: number;
}

/** The difference between two rings, in primaries. */
export interface RingDiff {
  /** The number of arcs that all counts here are of: that of the finer of the two rings. */
  readonly arcs: number;
  /** Arcs whose primary changes. */
  readonly movedArcs: number;
  /** movedArcs as a fraction of the arcs. */
  readonly movedShare: number;
  /** Arcs that go from one to another member although both are in both rings with unchanged weight. */
  readonly needlessArcs: number;
  /** Every member of either ring, sorted by id. */
  readonly members: readonly MemberDiff[];
  /** Who hands over to whom, the largest first. */
  readonly moves: readonly RingMove[];
}

/** A change of the membership to try out. */
export interface RingChange {
  readonly add?: readonly RingMember[];
  readonly remove?: readonly string[];
  /** Members with their new weights. */
  readonly reweigh?: readonly RingMember[];
}

/** Compares two rings arc by arc. Rings of different numbers of arcs are compared at the finer division. */
export function diff(from: Ring, to: Ring): RingDiff {
  const arcs = Math.max(from.arcs, to.arcs);
  const ids = [...new Set([...from.members, ...to.members].map((member) => member.id))].sort();
  const numbers = new Map(ids.map((id, number) => [id, number]));
  const fromNumbers = Uint32Array.from(from.members, (member) => numbers.get(member.id)!);
  const toNumbers = Uint32Array.from(to.members, (member) => numbers.get(member.id)!);
  const nobody = ids.length;
  const gained = new Uint32Array(ids.length + 1);
  const lost = new Uint32Array(ids.length + 1);
  const pairs = new Map<number, number>();
  const fromStep = arcs / from.arcs;
  const toStep = arcs / to.arcs;
  let movedArcs = 0;
  for (let arc = 0; arc < arcs; arc++) {
    const before = fromNumbers[from.primaryIndex(Math.floor(arc / fromStep))] ?? nobody;
    const after = toNumbers[to.primaryIndex(Math.floor(arc / toStep))] ?? nobody;
    if (before === after) continue;
    movedArcs++;
    lost[before]!++;
    gained[after]!++;
    const pair = before * (ids.length + 1) + after;
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  const unchanged = ids.map((id) => {
    const before = from.members[from.indexOf(id)];
    return before !== undefined && before.weight === to.members[to.indexOf(id)]?.weight;
  });
  let needlessArcs = 0;
  const moves: RingMove[] = [];
  for (const [pair, count] of pairs) {
    const before = Math.floor(pair / (ids.length + 1));
    const after = pair % (ids.length + 1);
    if (unchanged[before] && unchanged[after]) needlessArcs += count;
    moves.push({ from: ids[before], to: ids[after], arcs: count });
  }
  moves.sort((a, b) => b.arcs - a.arcs || compare(a.from, b.from) || compare(a.to, b.to));
  const members = ids.map((id, number) => ({
    id,
    gainedArcs: gained[number]!,
    lostArcs: lost[number]!,
    shareBefore: from.share(id),
    shareAfter: to.share(id),
  }));
  return { arcs, movedArcs, movedShare: movedArcs / arcs, needlessArcs, members, moves };
}

function compare(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return a === undefined || (b !== undefined && a < b) ? -1 : 1;
}

/**
 * The ring that a change of the membership would make, and what it would move. The ring keeps the epoch that it departs
 * from and the parameters that were given for it; defaults follow the new number of members, as they would in earnest.
 *
 * @throws RL_BAD_REQUEST for a change that does not fit the ring: an unknown id, one that is a member already, a bad weight.
 */
export function whatIf(ring: Ring, change: RingChange): { ring: Ring; diff: RingDiff } {
  const members = new Map(ring.members.map((member) => [member.id, member]));
  for (const id of change.remove ?? []) {
    if (!members.delete(id)) throw unknownMember(id, "removed");
  }
  for (const member of change.reweigh ?? []) {
    if (!members.has(member.id)) throw unknownMember(member.id, "reweighed");
    members.set(member.id, member);
  }
  const next = buildRing([...members.values(), ...(change.add ?? [])], {
    epoch: ring.epoch,
    params: ring.givenParams,
    previous: ring,
  });
  return { ring: next, diff: diff(ring, next) };
}

function unknownMember(id: string, verb: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", `"${id}" cannot be ${verb}: it is not a member of the ring`);
}

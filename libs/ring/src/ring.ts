import { RinglightError } from "@ringlight/core";
import { hashKey } from "./hash-key.ts";
import { loadLimits, matchPrimaries } from "./match.ts";
import { checkMembers, type RingMember } from "./members.ts";
import { type RingParams, resolveParams } from "./params.ts";
import { allChoices, findPreferences, NOBODY, updatePreferences } from "./preferences.ts";
import { Scores } from "./scores.ts";

/** How buildRing makes a ring. */
export interface RingOptions {
  /** Epoch of the membership, a number that grows with every change; 0 if not given. */
  readonly epoch?: number;
  /** Parameters that differ from the defaults. */
  readonly params?: Partial<RingParams>;
  /** An earlier ring, to build from faster. The result is the same as without it. */
  readonly previous?: Ring;
}

/** What a build leaves behind for the Ring; the module's own. */
interface Built {
  readonly epoch: number;
  readonly params: RingParams;
  readonly givenParams: Partial<RingParams>;
  readonly members: readonly RingMember[];
  readonly scores: Scores;
  readonly choices: Uint16Array;
  readonly primaries: Uint16Array;
}

/**
 * The placement of one epoch: which members own which arc, in order of preference. Immutable, and a pure function of
 * the members and the parameters. Made by buildRing.
 */
export class Ring {
  /** Epoch of the membership. */
  readonly epoch: number;
  /** Parameters with the defaults filled in; `replicas` is the number of columns of the table. */
  readonly params: RingParams;
  /** The parameters that were given to buildRing. */
  readonly givenParams: Partial<RingParams>;
  /** Number of arcs. */
  readonly arcs: number;
  /** Sorted by id. */
  readonly members: readonly RingMember[];
  /**
   * Indices of the owners of every arc: row `arc` starts at arc × params.replicas and holds the primary, then the
   * replicas in order of preference. Empty when there are no members. Read only: it is the ring's own memory.
   */
  readonly table: Uint16Array;
  /** The arcs' choices by score alone, from which a next ring is built. @internal */
  readonly choices: Uint16Array;
  readonly #scores: Scores;
  readonly #shift: number;
  readonly #primaryCounts: Uint32Array;

  /** @internal Use buildRing. */
  constructor(built: Built) {
    this.epoch = built.epoch;
    this.params = built.params;
    this.givenParams = built.givenParams;
    this.arcs = built.params.arcs;
    this.members = built.members;
    this.choices = built.choices;
    this.#scores = built.scores;
    this.#shift = Math.clz32(this.arcs) + 1;
    this.#primaryCounts = new Uint32Array(built.members.length);
    for (const primary of built.primaries) this.#primaryCounts[primary]!++;
    this.table = tableOf(built.choices, built.primaries, built.params.replicas);
  }

  /** The arc that a key falls on. */
  arcOf(key: string): number {
    return hashKey(key) >>> this.#shift;
  }

  /**
   * Ids of the owners of a key, the primary first, all different; none when there are no members.
   * @param count - How many, by default as many as the table keeps; asking for more than that takes time proportional to the members.
   */
  owners(key: string, count: number = this.params.replicas): string[] {
    return this.ownersOfArc(hashKey(key) >>> this.#shift, count);
  }

  /** Ids of the owners of an arc, as in `owners`. @throws RL_BAD_REQUEST for an arc that the ring does not have. */
  ownersOfArc(arc: number, count: number = this.params.replicas): string[] {
    this.#checkArc(arc);
    const { members, table } = this;
    const columns = this.params.replicas;
    const wanted = Math.min(count, members.length);
    const owners: string[] = [];
    const first = arc * columns;
    for (let column = 0; column < columns && column < wanted; column++)
      owners.push(members[table[first + column]!]!.id);
    if (wanted > columns) {
      const known = new Set(owners);
      for (const member of allChoices(arc, members.length, members.length, this.#scores)) {
        const { id } = members[member]!;
        if (owners.length < wanted && !known.has(id)) owners.push(id);
      }
    }
    return owners;
  }

  /** Index in `members` of the arc's primary, -1 when there are no members. @throws RL_BAD_REQUEST for an arc that the ring does not have. */
  primaryIndex(arc: number): number {
    this.#checkArc(arc);
    return this.table[arc * this.params.replicas] ?? -1;
  }

  /** Fraction of the arcs that the member owns as primary; 0 for an id that is not a member. */
  share(id: string): number {
    return this.arcCount(id) / this.arcs;
  }

  /** Number of arcs that the member owns as primary; 0 for an id that is not a member. */
  arcCount(id: string): number {
    return this.#primaryCounts[this.indexOf(id)] ?? 0;
  }

  /** Index of a member in `members`, -1 for an id that is not a member. */
  indexOf(id: string): number {
    let low = 0;
    let high = this.members.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const other = this.members[middle]!.id;
      if (other === id) return middle;
      if (other < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #checkArc(arc: number): void {
    if (!(arc >= 0 && arc < this.arcs && Number.isInteger(arc))) {
      throw new RinglightError("RL_BAD_REQUEST", `the ring has arcs 0 to ${this.arcs - 1}, not ${arc}`);
    }
  }
}

/**
 * Builds the ring of the members: a pure function of the members (in any order) and the parameters. With `previous` a
 * build after a small change takes a fraction of the time and gives the same ring.
 *
 * @throws RL_BAD_REQUEST for an empty or repeated id, a weight that is not finite and positive, or a bad parameter.
 */
export function buildRing(members: readonly RingMember[], options: RingOptions = {}): Ring {
  const sorted = checkMembers(members);
  const givenParams = Object.freeze({ ...options.params });
  const params = resolveParams(givenParams, sorted.length);
  const { arcs, replicas, loadCap } = params;
  const scores = new Scores(sorted, arcs);
  let choices: Uint16Array;
  let primaries: Uint16Array;
  if (sorted.length === 0) {
    choices = new Uint16Array(0);
    primaries = new Uint16Array(0);
  } else {
    choices =
      choicesFromPrevious(options.previous, sorted, scores, params) ?? findPreferences(sorted, scores, arcs, replicas);
    primaries = matchPrimaries(choices, replicas, loadLimits(sorted, arcs, loadCap), scores, arcs);
  }
  return new Ring({ epoch: options.epoch ?? 0, params, givenParams, members: sorted, scores, choices, primaries });
}

/** The choices derived from an earlier ring, or nothing where a build from nothing is the only or the quicker way. */
function choicesFromPrevious(
  previous: Ring | undefined,
  members: readonly RingMember[],
  scores: Scores,
  params: RingParams,
): Uint16Array | undefined {
  if (!previous || previous.arcs !== params.arcs || previous.params.replicas !== params.replicas) return undefined;
  if (previous.members.length === 0) return undefined;
  const weights = new Map(members.map((member, index) => [member.id, { weight: member.weight, index }]));
  const translate = Uint16Array.from(previous.members, ({ id, weight }) => {
    const now = weights.get(id);
    if (now?.weight !== weight) return NOBODY;
    weights.delete(id);
    return now.index;
  });
  const added = Array.from(weights.values(), ({ index }) => index);
  const gone = translate.reduce((count, index) => count + (index === NOBODY ? 1 : 0), 0);
  // A member that goes costs every arc that chose it a question to all members, arcs × replicas in all, and one that
  // comes costs every arc one comparison; a build from nothing costs replicas + 9 steps an arc.
  if (gone + added.length > 4) return undefined;
  return updatePreferences(previous.choices, translate, added, members.length, scores, params.arcs, params.replicas);
}

/** The rows of the table: the primary, then the other choices in order of score. */
function tableOf(choices: Uint16Array, primaries: Uint16Array, columns: number): Uint16Array {
  const table = new Uint16Array(choices.length);
  for (let arc = 0; arc < primaries.length; arc++) {
    const first = arc * columns;
    const primary = primaries[arc]!;
    table[first] = primary;
    for (let slot = first, to = first + 1; slot < first + columns && to < first + columns; slot++) {
      if (choices[slot] !== primary) table[to++] = choices[slot]!;
    }
  }
  return table;
}

import { RinglightError } from "@ringlight/core";

/** A member of the ring: a worker's stable identity and its capacity relative to the others. */
export interface RingMember {
  /** Stable identity of the worker; not its address. */
  readonly id: string;
  /** Positive and finite; a member of weight 2 owns twice the arcs of a member of weight 1. */
  readonly weight: number;
}

/** The most members that a ring can have: the table holds 16-bit indices, and one value means nobody. */
export const MAX_MEMBERS = 65_535;

/** Copies of the members sorted by id (by UTF-16 code units, the same everywhere). @throws RL_BAD_REQUEST */
export function checkMembers(members: readonly RingMember[]): readonly RingMember[] {
  if (members.length > MAX_MEMBERS) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${members.length} members are too many; a ring has at most ${MAX_MEMBERS}`,
    );
  }
  let total = 0;
  for (const { id, weight } of members) {
    if (typeof id !== "string" || id === "") {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        "a ring member has an empty id; give every worker a stable, non-empty id",
      );
    }
    if (typeof weight !== "number" || !Number.isFinite(weight) || weight <= 0) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        `member "${id}" has weight ${weight}; give it a finite weight above 0`,
      );
    }
    total += weight;
  }
  if (!Number.isFinite(total)) {
    throw new RinglightError("RL_BAD_REQUEST", "the members' weights sum to infinity; give them smaller weights");
  }
  const sorted = members.map(({ id, weight }) => Object.freeze({ id, weight }));
  sorted.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  for (let index = 1; index < sorted.length; index++) {
    const { id } = sorted[index]!;
    if (sorted[index - 1]!.id === id) {
      throw new RinglightError("RL_BAD_REQUEST", `member "${id}" is there twice; ids of workers must be unique`);
    }
  }
  return Object.freeze(sorted);
}

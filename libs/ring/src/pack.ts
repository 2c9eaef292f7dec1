/** A ring on its way to another thread: what cannot be made anew in an instant, in arrays that are handed over uncopied. */
import type { RingMember } from "./members.ts";
import { type RingParams, resolveParams } from "./params.ts";
import { Ring } from "./ring.ts";
import { Scores } from "./scores.ts";

/** A ring as messages carry it. */
export interface PackedRing {
  readonly epoch: number;
  readonly givenParams: Partial<RingParams>;
  readonly members: readonly RingMember[];
  readonly choices: Uint16Array;
  readonly primaries: Uint16Array;
}

/** Packs a ring. The arrays are copies, so that they may be transferred. */
export function packRing(ring: Ring): PackedRing {
  const primaries = new Uint16Array(ring.members.length === 0 ? 0 : ring.arcs);
  for (let arc = 0; arc < primaries.length; arc++) primaries[arc] = ring.primaryIndex(arc);
  return {
    epoch: ring.epoch,
    givenParams: { ...ring.givenParams },
    members: ring.members.map(({ id, weight }) => ({ id, weight })),
    choices: ring.choices.slice(),
    primaries,
  };
}

/** The ring again: the same owners for every key, in milliseconds. */
export function unpackRing({ epoch, givenParams, members, choices, primaries }: PackedRing): Ring {
  const params = resolveParams(givenParams, members.length);
  return new Ring({
    epoch,
    params,
    givenParams,
    members,
    scores: new Scores(members, params.arcs),
    choices,
    primaries,
  });
}

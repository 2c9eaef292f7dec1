import { RinglightError } from "@ringlight/core";
import { MAX_MEMBERS } from "./members.ts";

/** What shapes a ring besides its members. Everybody who derives the same ring must use the same. */
export interface RingParams {
  /**
   * Number of arcs, a power of two from 2^4 to 2^24. By default 2^16 for up to 240 members and 2^20 for more. The step
   * deals out the ring anew: a cluster that expects to pass 240 members sets 2^20 from its start.
   */
  readonly arcs: number;
  /** Owners kept per arc in the table, 1 to 16, default 3; fewer when there are fewer members. */
  readonly replicas: number;
  /**
   * The most primary arcs of a member, as a multiple of its fair share; at least 1. By default
   * 1 + 1.75 √(members / arcs), about 2.5 standard deviations of an uncapped share; less balances better and moves more.
   */
  readonly loadCap: number;
}

/** The most members for which the small default of arcs keeps the worst member within 1.11 of its fair share. */
const SMALL_RING_MEMBERS = 240;
const SMALL_RING_ARCS = 2 ** 16;
const LARGE_RING_ARCS = 2 ** 20;
const DEFAULT_REPLICAS = 3;
const CAP_SLOPE = 1.75;

/** Fills in the defaults for a number of members. @throws RL_BAD_REQUEST */
export function resolveParams(given: Partial<RingParams>, memberCount: number): RingParams {
  const arcs = given.arcs ?? (memberCount <= SMALL_RING_MEMBERS ? SMALL_RING_ARCS : LARGE_RING_ARCS);
  if (!Number.isInteger(arcs) || arcs < 2 ** 4 || arcs > 2 ** 24 || (arcs & (arcs - 1)) !== 0) {
    throw new RinglightError("RL_BAD_REQUEST", `arcs is ${arcs}; it must be a power of two from 2^4 to 2^24`);
  }
  const replicas = given.replicas ?? DEFAULT_REPLICAS;
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 16) {
    throw new RinglightError("RL_BAD_REQUEST", `replicas is ${replicas}; it must be a whole number from 1 to 16`);
  }
  const loadCap = given.loadCap ?? 1 + CAP_SLOPE * Math.sqrt(memberCount / arcs);
  if (!Number.isFinite(loadCap) || loadCap < 1) {
    throw new RinglightError("RL_BAD_REQUEST", `loadCap is ${loadCap}; it must be a finite number, 1 or more`);
  }
  return Object.freeze({ arcs, replicas: Math.max(1, Math.min(replicas, memberCount, MAX_MEMBERS)), loadCap });
}

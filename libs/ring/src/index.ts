export { diff, type MemberDiff, type RingChange, type RingDiff, type RingMove, whatIf } from "./diff.ts";
export { hashKey } from "./hash-key.ts";
export type { RingMember } from "./members.ts";
export { type PackedRing, packRing, unpackRing } from "./pack.ts";
export type { RingParams } from "./params.ts";
export { buildRing, Ring, type RingOptions } from "./ring.ts";

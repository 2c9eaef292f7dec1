/** Which page leaves when room is needed. */
import { LruPolicy } from "./lru.ts";
import { S3FifoPolicy } from "./s3-fifo.ts";
import { SievePolicy } from "./sieve.ts";

/**
 * An eviction policy. It knows pages by slot, a dense small integer; a slot may name another page once it has left the
 * policy. All calls are synchronous, take constant amortised time and allocate nothing but for growth. `hash` is the page's
 * 32-bit hash: it stays the same when the page comes again, so that a policy may remember pages that left.
 */
export interface EvictionPolicy {
  readonly name: EvictionPolicyName;
  /** Number of pages that the policy holds. */
  readonly size: number;
  /** A page came in. The slot is not in the policy. */
  onInsert(slot: number, hash: number, bytes: number): void;
  /** A page of the policy was read. */
  onHit(slot: number): void;
  /** A page of the policy is gone for a cause that is not eviction. */
  onRemove(slot: number): void;
  /** Chooses pages of at least `bytes` together, at most `limit` of them, takes them out of the policy, and appends their slots. Fewer if it has no more. */
  victims(bytes: number, limit: number, into: number[]): void;
}

/** Policies by name. */
const POLICIES = {
  lru: () => new LruPolicy(),
  sieve: () => new SievePolicy(),
  s3fifo: () => new S3FifoPolicy(),
} as const;

/** Name of a policy. */
export type EvictionPolicyName = keyof typeof POLICIES;

/** All policies. */
export const EVICTION_POLICY_NAMES = Object.keys(POLICIES) as readonly EvictionPolicyName[];

/** The policy where none is named; docs/adr/0003-page-files.md says why. */
export const DEFAULT_EVICTION_POLICY: EvictionPolicyName = "s3fifo";

/** A fresh policy. */
export function createEvictionPolicy(name: EvictionPolicyName): EvictionPolicy {
  return POLICIES[name]();
}

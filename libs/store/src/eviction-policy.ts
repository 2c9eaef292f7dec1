/** Which page leaves when room is needed. */
import { FreezePolicy } from "./freeze.ts";
import { LruPolicy } from "./lru.ts";
import { S3FifoPolicy } from "./s3-fifo.ts";
import { SievePolicy } from "./sieve.ts";
import { WTinyLfuPolicy } from "./w-tiny-lfu.ts";

/** What a policy may ask about the pages that it holds; the index knows it already. */
export interface EvictablePages {
  /** The page's 32-bit hash. It stays the same when the page comes again, so that a policy may remember pages that left. */
  hashOf(slot: number): number;
  /** Bytes that come free when the page leaves. */
  bytesOf(slot: number): number;
}

/**
 * An eviction policy. It knows pages by slot, a dense small integer; a slot may name another page once it has left the
 * policy. All calls are synchronous, take constant amortised time and allocate nothing but for growth.
 */
export interface EvictionPolicy {
  readonly name: EvictionPolicyName;
  /** Number of pages that the policy holds. */
  readonly size: number;
  /** A page came in because it was asked for. The slot is not in the policy. */
  onInsert(slot: number): void;
  /** A page was found at the start: it is here, and nobody asked for it. The slot is not in the policy. */
  onRecover(slot: number): void;
  /** A page of the policy was read. */
  onHit(slot: number): void;
  /** A page of the policy is gone for a cause that is not eviction; the index still knows it. */
  onRemove(slot: number): void;
  /** A page that the policy does not hold was asked for and goes elsewhere first: to a faster tier, or nowhere. */
  onMiss(hash: number): void;
  /** How often a page was asked for of late, as far as the policy counts; 0 if it does not. */
  frequencyOf(hash: number): number;
  /** Whether a page that was asked for so often is worth the write, when another must leave for it. */
  admits(frequency: number): boolean;
  /** Chooses pages of at least `bytes` together, at most `limit` of them, takes them out of the policy, and appends their slots. Fewer if it has no more. */
  victims(bytes: number, limit: number, into: number[]): void;
}

/** Policies by name. */
const POLICIES = {
  wtinylfu: (pages: EvictablePages, recentBytes: number) => new WTinyLfuPolicy(pages, recentBytes),
  lru: (pages: EvictablePages) => new LruPolicy(pages),
  sieve: (pages: EvictablePages) => new SievePolicy(pages),
  s3fifo: (pages: EvictablePages) => new S3FifoPolicy(pages),
  freeze: (pages: EvictablePages) => new FreezePolicy(pages),
} as const;

/** Name of a policy. */
export type EvictionPolicyName = keyof typeof POLICIES;

/** All policies. */
export const EVICTION_POLICY_NAMES = Object.keys(POLICIES) as readonly EvictionPolicyName[];

/** The policy where none is named; docs/adr/0009-index-and-eviction.md says why. */
export const DEFAULT_EVICTION_POLICY: EvictionPolicyName = "wtinylfu";

/**
 * A fresh policy over pages that the caller keeps. A policy that judges newcomers leaves the last `recentBytes` of them in
 * peace, so that what was read ahead is still there when its reader comes.
 */
export function createEvictionPolicy(name: EvictionPolicyName, pages: EvictablePages, recentBytes = 0): EvictionPolicy {
  return POLICIES[name](pages, recentBytes);
}

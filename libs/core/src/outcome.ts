/** What happened to a page request, and why. One table: detectors, metrics, spans, console and docs all read it. */

/** Outcome of one page request. */
export type Outcome = "hit" | "miss" | "joined" | "bypass";

/** Why a page request missed. */
export type MissReason =
  | "cold"
  | "evicted"
  | "expired"
  | "invalidated"
  | "rebalanced"
  | "owner_down"
  | "admission_refused"
  | "corrupt"
  | "partial";

/** What the console and `ringlight explain` say about a miss reason. */
export interface MissReasonInfo {
  /** One sentence for people: what happened. */
  readonly sentence: string;
  /** What an operator can do about it. */
  readonly remedy: string;
}

/** Every miss reason with its sentence and remedy. */
export const MISS_REASONS: Readonly<Record<MissReason, MissReasonInfo>> = {
  cold: {
    sentence: "The page was read for the first time on this worker.",
    remedy: "Load the data before it is needed, or accept the first read.",
  },
  evicted: {
    sentence: "The page was cached, and was evicted to make room for others.",
    remedy: "Give the tiers more bytes, or pin what must stay (ringlight policy).",
  },
  expired: {
    sentence: "The object changed in the store, which was noticed when the mount's freshness ran out.",
    remedy: "Nothing, if the object did change; immutable data can be mounted with freshness=immutable.",
  },
  invalidated: {
    sentence: "The page was invalidated on request or by a write.",
    remedy: "Nothing: the new version is read once.",
  },
  rebalanced: {
    sentence: "The ring changed, and this worker has owned the page's segment only since then.",
    remedy: "Wait: each moved segment is read once by its new owner.",
  },
  owner_down: {
    sentence: "The owner did not answer, so that another worker read the page in its place.",
    remedy: "Bring the owner back, or give the mount more replicas.",
  },
  admission_refused: {
    sentence: "The page was asked for before, and was not admitted to any tier.",
    remedy: "Look at the mount's admission rule and at the tiers' free bytes.",
  },
  corrupt: {
    sentence: "The cached page failed its checksum and was dropped.",
    remedy: "Check the disk behind the tier.",
  },
  partial: {
    sentence: "An earlier read of the page broke off before the page was complete.",
    remedy: "Look at the errors of the store behind the mount.",
  },
};

/** All miss reasons, in the order of the table. */
export const MISS_REASON_NAMES = Object.keys(MISS_REASONS) as readonly MissReason[];

/**
 * What happened to one read, filled in by the code that serves it and turned into metrics, headers and spans by
 * telemetry alone. Owned by one request; not shared.
 */
export interface ReadStatus {
  /** Bytes by source: name of the tier, or "ufs" or "joined" (waited for another reader's fetch). */
  readonly bytesBySource: Map<string, number>;
  /** Page requests by outcome. */
  hits: number;
  misses: number;
  joined: number;
  bypasses: number;
  /** Reason of the first miss, if any. */
  missReason?: MissReason;
  /** Workers that served bytes, in order of first use. */
  readonly servedBy: string[];
  /** Time spent waiting for the UFS, milliseconds. */
  ufsMs: number;
  /** True once a source failed and another one took over. */
  fellBack: boolean;
  /** The trace that the read belongs to, 32 hex digits; set by whoever begins or continues it. */
  traceId?: string;
}

/** A fresh status object. */
export function newReadStatus(): ReadStatus {
  return {
    bytesBySource: new Map(),
    hits: 0,
    misses: 0,
    joined: 0,
    bypasses: 0,
    servedBy: [],
    ufsMs: 0,
    fellBack: false,
  };
}

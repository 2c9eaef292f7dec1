/** What workers say to each other over their REST port: one header with JSON each way, and raw bytes as the body. */
import type { ByteRange, MissReason, ObjectMeta, ReadStatus } from "@ringlight/core";
import type { ReadPlan } from "@ringlight/s3";

/** Path of the relayed read; the mount and the percent-encoded key follow. */
export const PEER_READ_PATH = "/internal/v1/read/";
/** Path of the relayed metadata request. */
export const PEER_HEAD_PATH = "/internal/v1/head/";
/** Carries a PeerRequest. */
export const PEER_REQUEST_HEADER = "x-ringlight-request";
/** Carries a PeerAnswer. */
export const PEER_ANSWER_HEADER = "x-ringlight-answer";
/** Says of an answer without a status that the store was asked for it: both sides keep their spans then. */
export const PEER_MISSED_HEADER = "x-ringlight-missed";
/** Epoch of the sender's ring, both ways. */
export const EPOCH_HEADER = "x-ringlight-epoch";

/** A relayed read: of the current version by plan, or of a pinned version by range. */
export interface PeerRequest {
  readonly plan?: ReadPlan;
  readonly pinned?: { readonly version: string; readonly sizeBytes: number; readonly range: ByteRange };
  /** The asker's reason for coming here, where it is not the owner (owner_down). */
  readonly coldReason?: MissReason;
  /** The worker to fill missing pages from: the segment is hot there. */
  readonly fillFrom?: string;
  /**
   * Of a pinned range: "pages" for the bytes that are cached from its start on and nothing that would have to be fetched,
   * "coverage" for only what is cached of it. Neither counts as a page request.
   */
  readonly cached?: "pages" | "coverage";
}

/** The answer's head; the body holds the bytes of `served`. */
export interface PeerAnswer {
  readonly outcome: "ok" | "not-modified" | "precondition-failed" | "bad-range";
  /** Absent for pinned reads. */
  readonly meta?: ObjectMeta;
  readonly range?: ByteRange;
  readonly served?: ByteRange;
  readonly partial?: boolean;
  /** What the read has met up to its first bytes. */
  readonly status?: PeerStatus;
  /** For `cached: "pages"`: where the next bytes that are cached begin; absent where none of the range follow. */
  readonly nextCached?: number;
  /** For `cached: "coverage"`: runs of cached bytes, both ends included; no more than fit into a header. */
  readonly coverage?: readonly ByteRange[];
  /** Many ask for the segment: its next owners should be asked as well for a while. */
  readonly hot?: boolean;
}

/** The part of a ReadStatus that goes over the wire. */
export interface PeerStatus {
  readonly hits: number;
  readonly misses: number;
  readonly joined: number;
  readonly missReason?: MissReason;
  readonly sources: Readonly<Record<string, number>>;
  readonly servedBy: readonly string[];
  readonly ufsMs: number;
}

/** Packs a value into a header. */
export function pack(value: PeerRequest | PeerAnswer | ObjectMeta): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Unpacks what pack() made. The sender is a worker that holds the cluster token, so that the shape is trusted. */
export function unpack<T extends PeerRequest | PeerAnswer | ObjectMeta>(header: string): T {
  return JSON.parse(Buffer.from(header, "base64url").toString("utf8")) as T;
}

/** The status as it is sent. */
export function packStatus(status: ReadStatus): PeerStatus {
  return {
    hits: status.hits,
    misses: status.misses,
    joined: status.joined,
    ...(status.missReason && { missReason: status.missReason }),
    sources: Object.fromEntries(status.bytesBySource),
    servedBy: status.servedBy,
    ufsMs: status.ufsMs,
  };
}

/** Adds what another worker reported to the asker's own status. */
export function mergeStatus(into: ReadStatus, from: PeerStatus): void {
  into.hits += from.hits;
  into.misses += from.misses;
  into.joined += from.joined;
  if (from.missReason) into.missReason ??= from.missReason;
  for (const [source, bytes] of Object.entries(from.sources)) {
    into.bytesBySource.set(source, (into.bytesBySource.get(source) ?? 0) + bytes);
  }
  for (const id of from.servedBy) if (!into.servedBy.includes(id)) into.servedBy.push(id);
  into.ufsMs += from.ufsMs;
}

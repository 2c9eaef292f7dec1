/** Tells a client in HTTP's own words how the cache dealt with its read: Cache-Status (RFC 9211) and Server-Timing. */
import type { ReadStatus } from "@ringlight/core";

/** Value of Cache-Status for what is known of a read when its head is sent. */
export function cacheStatus(status: ReadStatus): string {
  const [source] = status.bytesBySource.keys();
  const [servedBy] = status.servedBy;
  const by = servedBy === undefined ? "" : `; served-by="${servedBy}"`;
  if (status.misses > 0) return `ringlight; fwd=miss; detail=${status.missReason ?? "cold"}${by}`;
  if (status.joined > 0) return `ringlight; fwd=miss; collapsed; detail=joined${by}`;
  if (status.hits > 0) return `ringlight; hit; detail=${source ?? "unknown"}${by}`;
  return `ringlight; fwd=bypass${by}`;
}

/** Value of Server-Timing, with the trace id so that an answer can be found again in the traces. */
export function serverTiming(status: ReadStatus): string {
  const parts = [`trace;desc="${status.traceId ?? ""}"`];
  if (status.ufsMs > 0) parts.push(`ufs;dur=${status.ufsMs.toFixed(1)}`);
  if (status.fellBack) parts.push("fallback");
  return parts.join(", ");
}

/**
 * Finds the segments that everybody wants at once. Their owner measures what it relays of each segment, and tells those who
 * ask to spread over more of the segment's owners for a while; they fill their pages from the first owner, so that the
 * UFS is asked no more often than before.
 */
import { type Clock, RecentMap } from "@ringlight/core";

/** Time over which a segment's traffic is summed, milliseconds. */
const WINDOW_MS = 1_000;
/** Relayed within a window, either makes a segment hot: half of what a 10 Gbit/s network carries, or as many small reads. */
const HOT_BYTES = 512 * 1024 * 1024;
const HOT_REQUESTS = 2_000;
/** How long a segment stays hot after its last hot window, milliseconds. */
const STAYS_HOT_MS = 10_000;
/** Segments that are measured; the one seen the longest ago makes room. */
const MAX_SEGMENTS = 1_024;
/** Owners that a hot segment is read from. */
export const HOT_REPLICAS = 3;

interface Traffic {
  windowEndMs: number;
  bytes: number;
  requests: number;
  hotUntilMs: number;
}

/** The owner's side: what it relays of each segment. */
export class SegmentTraffic {
  readonly #clock: Clock;
  readonly #segments = new RecentMap<Traffic>(MAX_SEGMENTS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a relayed read of `bytes` of the segment (its ring key). Returns true when the segment is hot. */
  note(segment: string, bytes: number): boolean {
    const now = this.#clock.monotonicMs();
    let traffic = this.#segments.get(segment);
    if (traffic === undefined) {
      traffic = { windowEndMs: now + WINDOW_MS, bytes: 0, requests: 0, hotUntilMs: Number.NEGATIVE_INFINITY };
      this.#segments.set(segment, traffic);
    } else if (now >= traffic.windowEndMs) {
      traffic.windowEndMs = now + WINDOW_MS;
      traffic.bytes = 0;
      traffic.requests = 0;
      this.#segments.set(segment, traffic);
    }
    traffic.bytes += bytes;
    traffic.requests++;
    if (traffic.bytes >= HOT_BYTES || traffic.requests >= HOT_REQUESTS) traffic.hotUntilMs = now + STAYS_HOT_MS;
    return traffic.hotUntilMs > now;
  }

  /** Segments that are hot now. */
  get hot(): number {
    const now = this.#clock.monotonicMs();
    let count = 0;
    for (const [, { hotUntilMs }] of this.#segments.entries()) if (hotUntilMs > now) count++;
    return count;
  }
}

/** The asking worker's side: the segments that their owners called hot. */
export class HotSegments {
  readonly #clock: Clock;
  readonly #untilMs = new RecentMap<number>(MAX_SEGMENTS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An owner called the segment hot. */
  add(segment: string): void {
    this.#untilMs.set(segment, this.#clock.monotonicMs() + STAYS_HOT_MS);
  }

  has(segment: string): boolean {
    if (this.#untilMs.size === 0) return false;
    const untilMs = this.#untilMs.get(segment);
    if (untilMs === undefined) return false;
    if (untilMs > this.#clock.monotonicMs()) return true;
    this.#untilMs.delete(segment);
    return false;
  }
}

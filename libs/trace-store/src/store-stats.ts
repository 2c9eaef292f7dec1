/** How the store fares: its bytes against their bounds, and what it had to drop. */

/** Bytes and rows of one kind of data. */
export interface StoreUsage {
  readonly usedBytes: number;
  readonly limitBytes: number;
  readonly rows: number;
  /** Milliseconds since the Unix epoch; 0 when empty. */
  readonly oldestMs: number;
}

/** Counters are since the process began. */
export interface StoreStats {
  readonly recent: StoreUsage;
  readonly kept: StoreUsage;
  readonly logs: StoreUsage;
  readonly metrics: StoreUsage;
  /** The file with its journal. */
  readonly fileBytes: number;
  readonly receivedSpans: number;
  readonly receivedLogs: number;
  readonly receivedPoints: number;
  /** Refused because the receiver was full (429), by the bytes that they had on the wire. */
  readonly refusedRequests: number;
  /** Left out of an accepted request: bad ids, past a bound. */
  readonly rejectedRecords: number;
  /** Pruned to stay within the bounds. */
  readonly prunedTraces: number;
  readonly prunedLogs: number;
  /** Why nothing is stored at this moment: the disk is full or fails. */
  readonly failure?: string;
}

/** What one round of one side came to, and the figures of it that are compared. */

/** One round of one side. */
export interface Measured {
  readonly requests: number;
  /** Bytes of answers (or of bodies sent), heads of answers included. */
  readonly bytes: number;
  readonly seconds: number;
  readonly errors: number;
  /** The first wrong answer's first line; empty without one. */
  readonly bad: string;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly firstByteP50Us: number;
  /** User and system time of the side's servers in these seconds. */
  readonly serverCpuSeconds: number;
  /** Share of its core that the generator used, 0 to 1. */
  readonly generatorShare: number;
}

/** Requests a second. */
export const requestRate = (measured: Pick<Measured, "requests" | "seconds">): number =>
  measured.requests / measured.seconds;

/** Bytes a second. */
export const byteRate = (measured: Measured): number => measured.bytes / measured.seconds;

/** CPU time of the servers a request, microseconds. */
export const cpuMicros = (measured: Pick<Measured, "requests" | "serverCpuSeconds">): number =>
  (measured.serverCpuSeconds * 1e6) / measured.requests;

/** CPU time of the servers a gigabyte (10^9 bytes), seconds. */
export const cpuSecondsPerGb = (measured: Measured): number => (measured.serverCpuSeconds * 1e9) / measured.bytes;

/** Requests that one second of the servers' CPU time carries. */
export const requestsPerCpuSecond = (measured: Measured): number => measured.requests / measured.serverCpuSeconds;

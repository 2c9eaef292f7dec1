/** What a UFS is opened with, and checks of a mount's own options. */
import { MADE_BY_OPTION, type MountRecord, RinglightError, type UfsObservation } from "@ringlight/core";

/** The part of a mount that says where its bytes are. */
export type UfsMount = Pick<MountRecord, "uri" | "options" | "credentials">;

/** How the process that opens a UFS wants it. */
export interface UfsOptions {
  /**
   * Headers that carry the trace of the work that is going on, asked for at each request; sent with GET, HEAD and listings of
   * s3:// stores, outside of their signature.
   */
  readonly traceHeaders?: () => Readonly<Record<string, string>>;
  /** Told of every operation when it ends; must not throw. */
  readonly observe?: (observation: UfsObservation) => void;
  /** Bound of head, list and check, and of a read until its first byte, retries included. Default 30 s. */
  readonly timeoutMs?: number;
  /** Silence that is borne before a response begins and between two pieces of its body. Default 10 s. */
  readonly stallTimeoutMs?: number;
  /** Connections to the store at most; what is more waits its turn. Default 64. */
  readonly maxConnections?: number;
  /** Calls that wait for a connection at most; what is more is refused with RL_OVERLOADED. Default 10,000. */
  readonly maxQueued?: number;
  /** Environment for credentials and region. Default: that of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Bounds with every default filled in. */
export interface UfsLimits {
  readonly timeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxQueued: number;
}

/** Fills in the defaults. */
export function limitsOf(options: UfsOptions): UfsLimits {
  const { timeoutMs = 30_000, stallTimeoutMs = 10_000, maxConnections = 64, maxQueued = 10_000 } = options;
  return { timeoutMs, stallTimeoutMs, maxConnections, maxQueued };
}

/** Options of mounts of every kind, which the workers read and the store does not. */
const WORKERS_OPTIONS = ["eviction", "verify", "write-cache", "trace-context", MADE_BY_OPTION];

/** Refuses option keys that a scheme does not know. @throws RL_BAD_REQUEST naming the known ones. */
export function checkOptionKeys(
  scheme: string,
  options: Readonly<Record<string, string>>,
  known: readonly string[],
): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key) || WORKERS_OPTIONS.includes(key)) continue;
    const remedy = known.length === 0 ? "it has none" : `its options are ${known.join(", ")}`;
    throw new RinglightError("RL_BAD_REQUEST", `${scheme} mounts have no option "${key}"; ${remedy}`);
  }
}

/** A body that nobody begins to read is given up after this long, so that its connection or descriptor comes back. */
export const UNREAD_MS = 60_000;

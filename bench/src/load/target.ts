/** What a generator sends requests to. */
import type { PlannedRequest } from "../workloads/plan.ts";

/** What came back. */
export interface Answer {
  readonly ok: boolean;
  /** Bytes of the body, or bytes written. */
  readonly bytes: number;
  /** Time from the sending to the first byte, milliseconds. */
  readonly firstByteMs: number;
  /** What was wrong; "" when it was right. */
  readonly error: string;
  /** Head of an HTTP answer, for samples; "" for others. */
  readonly head: string;
  /** The request asked for its trace to be kept, so it belongs among the samples. */
  readonly isTraced?: boolean;
}

/** A target. */
export interface Target {
  /** Sends a request; `done` is called once, perhaps before this returns. */
  perform(request: PlannedRequest, done: (answer: Answer) => void): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** An answer that says what was wrong. */
export function failed(error: unknown, firstByteMs = 0): Answer {
  const words = error instanceof Error ? error.message : String(error);
  return { ok: false, bytes: 0, firstByteMs, error: words, head: "" };
}

/** Key pair of a signed S3 target. */
export interface TargetCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Where a target is; the kind is told by the URL's scheme. */
export interface TargetAddress {
  /** What people call it. */
  readonly label: string;
  /** http(s)://host:port[,host:port...]/bucket[/prefix], ringlight://host:grpc-port/mount[/prefix], or file:///directory */
  readonly url: string;
  readonly credentials?: TargetCredentials | undefined;
  readonly region?: string | undefined;
  /** Token of the cluster, for ringlight:// */
  readonly token?: string | undefined;
}

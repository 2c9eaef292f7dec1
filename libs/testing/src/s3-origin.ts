/**
 * An S3 server in this process, on a loopback port, for tests and benchmarks: objects in memory or generated as they
 * are read, a log of every request, and faults to order. It is the store *behind* Ringlight, not a part of the product.
 *
 * It speaks GET, HEAD, PUT, copy and DELETE of objects (single ranges, conditions, checksums), DeleteObjects, multipart
 * uploads, tags, both listings, ListBuckets, GetBucketLocation, and buckets' own PUT, HEAD and DELETE. Every write takes
 * effect at once and whole, or not at all. It has no versions or ACLs (501).
 */
import type { FaultTiming, OriginOperation, RequestMatch } from "./s3-origin-faults.ts";
import type { ObjectData, ObjectSettings, OriginObject, SynthesizedKeys } from "./s3-origin-objects.ts";
import { OriginServer } from "./s3-origin-server.ts";

/** Settings of an origin. */
export interface S3OriginOptions {
  /** Default 0: a free port. */
  readonly port?: number;
  /** Refuses requests that the origin's key pair did not sign, as S3 would. Default: signatures are not looked at. */
  readonly verifySignatures?: boolean;
  /** Default "us-east-1". */
  readonly region?: string;
  /** Keep sizes and ETags of what is uploaded, not the bytes: reading such an object gives made-up ones. */
  readonly discardBodies?: boolean;
  /** Least size of a part that is not the last, bytes. Default 5 MiB, as S3 has it. */
  readonly minPartBytes?: number;
  /** Requests kept in the log; counting fails once more came in. Default 1,000,000. */
  readonly maxLoggedRequests?: number;
}

/** One request, as it went. */
export interface LoggedRequest {
  readonly method: string;
  readonly op: OriginOperation;
  readonly bucket: string;
  readonly key: string;
  /** The Range header, "" if none. */
  readonly range: string;
  /** Status of the response; 0 until it is known. */
  status: number;
  /** Bytes of the body that were sent so far, for GetObject. */
  bytes: number;
  /** When it came, milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** A failing response to order. */
export interface FailFault extends FaultTiming {
  readonly status: number;
  /** S3 error code. Default "InternalError". */
  readonly code?: string;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** When a change strikes: by default once, and the response that it interrupts goes on with the old bytes, as S3 does. */
export interface ChangeFault extends FaultTiming {
  /** Cuts the connection right after the change, so that a client that resumes meets the new object. */
  readonly cut?: boolean;
}

/** A running origin. */
export interface S3Origin {
  /** "http://127.0.0.1:port", for path-style addressing. */
  readonly endpoint: string;
  /** "http://localhost:port", for virtual-host addressing: the bucket's name goes in front of "localhost". */
  readonly virtualHostEndpoint: string;
  readonly port: number;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** All requests since the start or resetCounts(), in order. */
  readonly requests: readonly LoggedRequest[];
  createBucket(bucket: string): void;
  /** Stores an object, and its bucket if that is missing. */
  putObject(bucket: string, key: string, data: ObjectData, settings?: ObjectSettings): OriginObject;
  deleteObject(bucket: string, key: string): void;
  /** An object's present state. */
  object(bucket: string, key: string): OriginObject | undefined;
  /** Multipart uploads that were begun and neither completed nor aborted. */
  readonly uploadCount: number;
  /** Makes a bucket of computed keys: a million of them cost nothing. */
  synthesize(bucket: string, keys: SynthesizedKeys): void;
  /** Expected bytes of an object, from `start` to before `end`; all of it by default. */
  bytesOf(bucket: string, key: string, start?: number, end?: number): Buffer;
  /** Number of logged requests that match; all without a match. */
  count(match?: RequestMatch): number;
  resetCounts(): void;
  fail(match: RequestMatch, fault: FailFault): void;
  /** Silence of `ms` (Infinity: until the client leaves) before the response, or after some bytes of the body. */
  stall(match: RequestMatch, ms: number, options?: FaultTiming & { readonly afterBytes?: number }): void;
  /** Answers with what is true at once, but lets the answer arrive so much later: what it says may be overwritten by then. */
  lag(match: RequestMatch, ms: number, timing?: FaultTiming): void;
  slow(match: RequestMatch, bytesPerSecond: number, timing?: FaultTiming): void;
  /** Closes the connection after so many bytes of the body, as if the server had died. */
  truncate(match: RequestMatch, afterBytes: number, timing?: FaultTiming): void;
  /** Resets the connection (RST) after so many bytes of the body. */
  reset(match: RequestMatch, afterBytes: number, timing?: FaultTiming): void;
  /** Closes the connection after so many bytes of a request's body came; nothing is written. */
  cutUpload(match: RequestMatch, afterBytes: number, timing?: FaultTiming): void;
  /** Lets a write take effect and closes the connection before the answer. */
  loseAnswer(match: RequestMatch, timing?: FaultTiming): void;
  /** Replaces the object while its bytes are sent. A body that ends before `afterBytes` uses the fault up in vain. */
  changeDuring(match: RequestMatch, afterBytes: number, newData: ObjectData, options?: ChangeFault): void;
  /** Adds a delay to every response. */
  latency(ms: number): void;
  /** Ends all faults and the latency. */
  clearFaults(): void;
  /** Stops at once, cutting open connections. Idempotent. */
  close(): Promise<void>;
}

/** Starts an origin on a free loopback port. */
export async function startS3Origin(options: S3OriginOptions = {}): Promise<S3Origin> {
  const origin = new OriginServer(options);
  await origin.listen(options.port ?? 0);
  return origin;
}

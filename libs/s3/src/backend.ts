/** What the S3 protocol needs of whatever is behind it. */
import type { Writable } from "node:stream";
import type { ByteRange, ListPage, ListRequest, ObjectMeta, ReadStatus, StopSignal } from "@ringlight/core";
import { type Conditions, evaluateConditions, rangeApplies } from "./conditions.ts";
import { type RequestedRange, resolveRange } from "./range.ts";
import type { S3WriteBackend } from "./write-backend.ts";

/** What every call of the backend is told of its request. */
export interface RequestContext {
  /** Aborts when the client goes away. */
  readonly signal: StopSignal;
  /** W3C trace context of the client, if it sent one. */
  readonly traceparent?: string;
  /** Filled by the backend: what happened to the read. */
  readonly status: ReadStatus;
  /** The proved key; absent for anonymous requests. */
  readonly accessKeyId?: string;
  readonly requestId: string;
}

/** A read as asked for: plain data that can be relayed to another worker, to be resolved where the object's state is known. */
export interface ReadPlan {
  readonly range?: RequestedRange;
  readonly conditions: Conditions;
}

/**
 * The bytes of a read. A function writes exactly the range's bytes to the response, honouring back-pressure, and ends it;
 * it must not set a status or headers. If either kind fails, the connection is cut.
 */
export type ReadBody = AsyncIterable<Uint8Array> | ((response: Writable) => Promise<void>);

/** The answer to a read. */
export type S3Read =
  | {
      readonly outcome: "ok";
      readonly meta: ObjectMeta;
      /** The bytes that follow, both ends included; absent for an empty object. */
      readonly range?: ByteRange | undefined;
      /** True when a range was asked for and holds: the answer is 206. */
      readonly partial: boolean;
      /** Yields exactly the range's bytes, or throws. */
      readonly body: ReadBody;
      /** All of these bytes, where they are here already: nothing is to be awaited then, and nothing can break off. */
      readonly whole?: Uint8Array | undefined;
    }
  | { readonly outcome: "not-modified" | "precondition-failed" | "bad-range"; readonly meta: ObjectMeta };

/** A bucket of ListBuckets. */
export interface BucketInfo {
  readonly name: string;
  readonly createdMs: number;
}

/**
 * The objects behind the protocol. Methods and bodies honour the context's signal, and throw RinglightError: RL_NO_SUCH_MOUNT for an unknown bucket, RL_NOT_FOUND for
 * an unknown key; any other code of the table becomes the S3 error that the table names.
 */
export interface S3Backend {
  /** Without it every write is refused as on a read-only mount. */
  readonly writes?: S3WriteBackend;
  listBuckets(context: RequestContext): Promise<readonly BucketInfo[]>;
  bucketExists(bucket: string): boolean | Promise<boolean>;
  head(bucket: string, key: string, context: RequestContext): Promise<ObjectMeta>;
  /** Resolves range and conditions and gives the bytes, in one call. */
  read(bucket: string, key: string, plan: ReadPlan, context: RequestContext): Promise<S3Read>;
  /** host:port of the S3 door of the worker that has the byte at an offset of an object; undefined where it is this one. */
  doorOf?(bucket: string, key: string, offset: number): string | undefined;
  list(bucket: string, request: ListRequest, context: RequestContext): Promise<ListPage>;
}

/** What a plan comes to for an object's state. */
export type ResolvedPlan =
  | { readonly outcome: "ok"; readonly range: ByteRange | undefined; readonly partial: boolean }
  | { readonly outcome: "not-modified" | "precondition-failed" | "bad-range" };

/** Resolves a plan: conditions first, then the range. For backends, at the place where the object's state is known. */
export function resolvePlan(plan: ReadPlan, meta: ObjectMeta): ResolvedPlan {
  const outcome = evaluateConditions(plan.conditions, meta);
  if (outcome !== "ok") return { outcome };
  if (plan.range !== undefined && rangeApplies(plan.conditions, meta)) {
    const range = resolveRange(plan.range, meta.sizeBytes);
    return range === undefined ? { outcome: "bad-range" } : { outcome: "ok", range, partial: true };
  }
  const whole = meta.sizeBytes === 0 ? undefined : { start: 0, end: meta.sizeBytes - 1 };
  return { outcome: "ok", range: whole, partial: false };
}

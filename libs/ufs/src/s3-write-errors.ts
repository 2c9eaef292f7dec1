/** What a store's refusals of writes mean in Ringlight's table of errors. */
import { type ErrorCode, RinglightError, type StoreRefusal } from "@ringlight/core";
import type { TransientError } from "./retry.ts";
import { describe, failureError, type S3Failure } from "./s3-errors.ts";
import type { S3Location } from "./s3-location.ts";

const CODES: Readonly<Record<string, ErrorCode>> = {
  NoSuchKey: "RL_NOT_FOUND",
  NoSuchUpload: "RL_NO_SUCH_UPLOAD",
  InvalidPart: "RL_INVALID_PART",
  InvalidPartOrder: "RL_INVALID_PART_ORDER",
  EntityTooSmall: "RL_ENTITY_TOO_SMALL",
  EntityTooLarge: "RL_ENTITY_TOO_LARGE",
  BadDigest: "RL_BAD_DIGEST",
  XAmzContentChecksumMismatch: "RL_BAD_DIGEST",
  BucketNotEmpty: "RL_NOT_EMPTY",
  PreconditionFailed: "RL_PRECONDITION_FAILED",
  NotImplemented: "RL_NOT_IMPLEMENTED",
  InvalidRange: "RL_BAD_RANGE",
};
const STATUSES: Readonly<Record<number, ErrorCode>> = {
  404: "RL_NOT_FOUND",
  409: "RL_CONFLICT",
  412: "RL_PRECONDITION_FAILED",
  416: "RL_BAD_RANGE",
  501: "RL_NOT_IMPLEMENTED",
};

/**
 * Turns a failing answer to a write into what to throw. A refusal that is the client's own doing keeps the store's code
 * and words for the S3 door; what concerns the mount (credentials, region, a missing bucket) is told as for reads.
 */
export function writeFailure(
  location: S3Location,
  operation: string,
  credentials: string,
  failure: S3Failure,
): RinglightError | TransientError {
  const { status, code, message } = failure;
  const isMounts = code === "NoSuchBucket" || failure.bucketRegion !== undefined;
  const own = CODES[code];
  const passing = status >= 500 || status === 429 || status === 408 || code === "SlowDown" || code === "RequestTimeout";
  const denied = (status === 401 || status === 403) && code !== "InvalidObjectState";
  if (own === undefined && (isMounts || denied || (passing && status !== 501))) {
    return failureError(location, operation, credentials, failure);
  }
  const refusal: StoreRefusal = { code, status, message };
  const words = [code, message].filter((part) => part !== "").join(": ") || `status ${status}`;
  const mapped = own ?? STATUSES[status] ?? "RL_BAD_REQUEST";
  return new RinglightError(mapped, `${words}: ${describe(location, operation)}`, {
    ...(code !== "" && status < 500 && { s3: refusal }),
  });
}

/** Was the write certainly not done? Then even a conditional one may be sent again. */
export function isUndone(error: TransientError): boolean {
  return error.error.code === "RL_UFS_UNAVAILABLE" && error.error.message.startsWith("the store asks");
}

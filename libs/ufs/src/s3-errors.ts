/** What a store's refusals and a network's failures mean in Ringlight's table of errors. */
import { RinglightError } from "@ringlight/core";
import { StaleConnection } from "./http1-connection.ts";
import { MalformedResponse } from "./http1-head.ts";
import { parseRetryAfter, TransientError } from "./retry.ts";
import type { S3Location } from "./s3-location.ts";

/** An answer that is an error, whoever received it. */
export interface S3Failure {
  readonly status: number;
  /** S3's error code, "" where the answer had no body. */
  readonly code: string;
  readonly message: string;
  readonly retryAfter: string | undefined;
  /** Region that the store names, when the bucket is in another one. */
  readonly bucketRegion: string | undefined;
}

/** What S3 says of a bucket that is not there. */
export const NO_SUCH_BUCKET = { code: "NoSuchBucket", status: 404, message: "The specified bucket does not exist" };

/** What was asked: `GET "key"`, for error texts. */
export function describe(location: S3Location, operation: string): string {
  return `${operation} in bucket "${location.bucket}" at ${location.shownEndpoint}`;
}

/** Turns a failing answer into what to throw: a TransientError where another attempt may help. */
export function failureError(
  location: S3Location,
  operation: string,
  credentials: string,
  failure: S3Failure,
): RinglightError | TransientError {
  const { status, code } = failure;
  const what = describe(location, operation);
  const words = [code, failure.message].filter((part) => part !== "").join(": ") || `status ${status}`;
  if (failure.bucketRegion !== undefined && failure.bucketRegion !== location.region && status !== 404) {
    const remedy = `set the mount's option region=${failure.bucketRegion}`;
    return new RinglightError(
      "RL_UFS_ERROR",
      `bucket "${location.bucket}" is in another region than ${location.region}; ${remedy}`,
    );
  }
  if (code === "NoSuchBucket" || (status === 404 && operation.startsWith("list"))) {
    const where = `bucket "${location.bucket}" does not exist at ${location.shownEndpoint}`;
    return new RinglightError("RL_UFS_ERROR", `${where}; make it, or correct the mount's URI or endpoint`, {
      s3: NO_SUCH_BUCKET,
    });
  }
  if (status === 404) return new RinglightError("RL_NOT_FOUND", `no such object: ${what}`);
  if (status === 412) return new RinglightError("RL_VERSION_CHANGED", `the object changed: ${what}`);
  if (status === 416) return new RinglightError("RL_BAD_RANGE", `the range is outside of the object: ${what}`);
  if (status === 401 || status === 403) {
    const remedy = "check the pair and what it may do";
    return new RinglightError("RL_UFS_DENIED", `refused ${credentials}: ${what}: ${words}; ${remedy}`);
  }
  if (status === 429 || status === 503 || code === "SlowDown") {
    const error = new RinglightError("RL_UFS_UNAVAILABLE", `the store asks for fewer requests: ${what}: ${words}`);
    return new TransientError(error, parseRetryAfter(failure.retryAfter));
  }
  const error = new RinglightError("RL_UFS_ERROR", `status ${status}: ${what}: ${words}`);
  const passing = status >= 500 || status === 408 || code === "RequestTimeout";
  return passing ? new TransientError(error, parseRetryAfter(failure.retryAfter)) : error;
}

/** Network failures that only a change of settings mends. */
const LASTING = /^(ENOTFOUND|EINVAL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|EPROTO|HPE_)/;

const NETWORK_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused; check the endpoint and that the store runs",
  ENOTFOUND: "the name is not known; check the endpoint's host",
  EAI_AGAIN: "the name cannot be resolved now; check the DNS",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "no route to the host; check the network",
  ENETUNREACH: "no route to the network; check the network",
  ETIMEDOUT: "the connection attempt timed out; check the network and firewalls",
};

/** Turns a failure of the network into what to throw. */
export function networkError(location: S3Location, operation: string, error: unknown): RinglightError | TransientError {
  const failure = error instanceof Error ? error : new Error(String(error));
  const what = describe(location, operation);
  if (failure instanceof MalformedResponse) return new RinglightError("RL_UFS_ERROR", `${failure.message}: ${what}`);
  if (failure instanceof StaleConnection) {
    return new TransientError(new RinglightError("RL_UFS_UNAVAILABLE", `${failure.message}: ${what}`), undefined, true);
  }
  const code = (failure as NodeJS.ErrnoException).code ?? "";
  const words =
    NETWORK_WORDS[code] ?? `${failure.message}${LASTING.test(code) ? "; check the endpoint and its protocol" : ""}`;
  const mapped = new RinglightError("RL_UFS_UNAVAILABLE", `${what}: ${words}`);
  return LASTING.test(code) ? mapped : new TransientError(mapped);
}

/** Silence, as what to throw. */
export function silenceError(location: S3Location, operation: string, stallTimeoutMs: number): TransientError {
  const text = `silent for ${stallTimeoutMs} ms: ${describe(location, operation)}`;
  return new TransientError(new RinglightError("RL_UFS_TIMEOUT", text));
}

/** Reads code and message out of S3's XML of an error. */
export function parseErrorXml(xml: string): { code: string; message: string } {
  const element = (name: string) => unescapeXml(new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "");
  return { code: element("Code"), message: element("Message") };
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => named[name] ?? "");
}

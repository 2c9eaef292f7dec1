/** The S3 protocol as a request handler for node:http. */
import {
  type Clock,
  isRinglightError,
  newReadStatus,
  type ReadStatus,
  RinglightError,
  systemClock,
} from "@ringlight/core";
import {
  type Credentials,
  type PolicyClaim,
  RequestVerifier,
  type VerifyOptions,
  verifyPolicy,
} from "@ringlight/sigv4";
import { type ActiveSpan, startSpan, type TraceContext } from "@ringlight/telemetry";
import type { RequestContext, S3Backend } from "./backend.ts";
import { bucketsDocument, parseBucketsQuery } from "./bucket-list.ts";
import { locationDocument, settingDocument, uploadsDocument } from "./bucket-settings.ts";
import { conditionName } from "./conditions.ts";
import {
  type AnswerHeaders,
  Exchange,
  newRequestId,
  type RequestDone,
  type S3Request,
  type S3Response,
} from "./exchange.ts";
import { sentElsewhere } from "./follow.ts";
import { EMPTY_PAGE, type ListQuery, listDocument, listRequest, parseListQuery } from "./listing.ts";
import { getObjectAttributes } from "./object-attributes.ts";
import { findOperation, type Level, type Operation } from "./operations.ts";
import { actionOf, type Permits } from "./policy/actions.ts";
import { readObject } from "./read-object.ts";
import { callerTrace, endOfRequest } from "./request-span.ts";
import { notImplemented, S3Error, toS3Error } from "./s3-error.ts";
import { parseTarget, type Target } from "./target.ts";
import { formBoundary } from "./write/form-reader.ts";
import { headersInQuery } from "./write/given-headers.ts";
import { WRITE_OPERATIONS } from "./write/serve-write.ts";
import type { FormProof, WriteCall } from "./write/write-call.ts";

/** Options of the handler. */
export interface S3HandlerOptions {
  readonly backend: S3Backend;
  /** Finds an access key's pair; undefined when there is none. */
  readonly credentials: (accessKeyId: string) => Credentials | undefined;
  /** True when the policy of a proved key allows an action; default: every key may do all. */
  readonly permits?: Permits;
  /** True for buckets that may be read without a signature; default: none. */
  readonly anonymous?: (bucket: string) => boolean;
  /** The region that requests must be signed for, and that is reported; default: any is accepted, us-east-1 is reported. */
  readonly region?: string;
  readonly clock?: Clock;
  /** Greatest difference between a request's time and now, milliseconds; default 15 min. */
  readonly maxSkewMs?: number;
  /** Host names below which a bucket may stand ("bkt.s3.example.com" for "s3.example.com"); default: path style alone. */
  readonly hostSuffixes?: readonly string[];
  readonly requestId?: () => string;
  /** Sent as x-amz-id-2: which process answered. */
  readonly hostId?: string;
  /** A client that takes nothing for so long is cut off, milliseconds; default 60 s. */
  readonly stallTimeoutMs?: number;
  /** Told once of every request, when its answer is out or its client has gone. */
  readonly onRequest?: (done: RequestDone) => void;
  /** May add headers to a read's answer; called when the head goes out, with what is known of the read by then. */
  readonly decorate?: (headers: AnswerHeaders, status: ReadStatus) => void;
  /** Told of failures that are ours (status 5xx), with what the client is not told. */
  readonly onError?: (error: unknown, requestId: string) => void;
}

/**
 * Handles one request. Register it for "request", for "checkContinue" of the server, so that a client that asks before it
 * sends a body is answered at once, and for "checkExpectation", since S3 passes over any other expectation. The server's
 * requestTimeout must allow for large uploads; a body that stops coming is ended here.
 */
export type S3Handler = (req: S3Request, res: S3Response) => void;

const DEFAULT_STALL_TIMEOUT_MS = 60_000;

/** One request on its way through the protocol. */
interface Routed {
  readonly exchange: Exchange;
  readonly target: Target;
  readonly operation: Operation;
  readonly context: RequestContext;
  readonly proof: Proof | undefined;
}

/** What a signature proved. */
interface Proof {
  readonly accessKeyId: string;
  /** What the signature covers of the body. */
  readonly payloadHash: string;
}

/** Makes the handler. */
export function createS3Handler(options: S3HandlerOptions): S3Handler {
  const { backend, clock = systemClock, hostSuffixes = [], region } = options;
  const reportedRegion = region ?? "us-east-1";
  const suffixes = hostSuffixes.map((suffix) => suffix.toLowerCase());
  const stallTimeoutMs = options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS;
  const nowMs = () => clock.monotonicMs();
  const verifier = new RequestVerifier();

  function verifyOptions(): VerifyOptions {
    return {
      lookup: options.credentials,
      now: clock.now(),
      ...(options.maxSkewMs !== undefined && { maxSkewMs: options.maxSkewMs }),
      ...(region !== undefined && { region }),
    };
  }

  /** What the signed policy of a form proves. @throws S3Error */
  function proveForm(claim: PolicyClaim, query: Target["query"]): FormProof {
    const how = verifyOptions();
    const result = verifyPolicy(claim, how);
    if (!result.ok) throw new S3Error(result.s3Code, result.message);
    const { accessKeyId } = result;
    return {
      accessKeyId,
      now: how.now,
      allows: (action, bucket, key) => options.permits?.(accessKeyId, action, bucket, key, query) ?? true,
    };
  }

  /** The proof of a key, or undefined for an anonymous request that is let in. @throws S3Error */
  function authenticate(req: S3Request, target: Target, access: Operation["access"]): Proof | undefined {
    const received = {
      method: req.method ?? "",
      rawUrl: target.rawUrl,
      headers: req.headers,
      rawHeaders: req.rawHeaders,
    };
    if (verifier.isUnsigned(received)) {
      if (access === "read" && target.bucket !== "" && options.anonymous?.(target.bucket)) return undefined;
      throw new S3Error("AccessDenied", "Access Denied");
    }
    const result = verifier.verify(received, verifyOptions());
    if (result.ok) return result;
    const wrongRegion = region !== undefined && result.message.includes("the region ");
    throw new S3Error(result.s3Code, result.message, wrongRegion ? { Region: region } : {});
  }

  /** True when the policy of the request's key allows an action; anonymous requests were weighed by their bucket. */
  function allows(proof: Proof | undefined, action: string, target: Target, bucket: string, key: string): boolean {
    if (options.permits === undefined || proof === undefined) return true;
    return options.permits(proof.accessKeyId, action, bucket, key, target.query);
  }

  function route(exchange: Exchange, status: ReadStatus, span: ActiveSpan): Routed {
    const { req } = exchange;
    const method = req.method ?? "";
    const target = parseTarget(req.url ?? "/", req.headers.host, suffixes);
    const level: Level = target.bucket === "" ? "service" : target.key === "" ? "bucket" : "object";
    if (target.bucket !== "") exchange.bucket = target.bucket;
    if (target.key !== "") exchange.key = target.key;
    if (method === "OPTIONS") {
      exchange.api = "OptionsObject";
      throw new S3Error("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.");
    }
    const inQuery = method === "PUT" || method === "POST" ? headersInQuery(target.query) : {};
    const isCopy = (req.headers["x-amz-copy-source"] ?? inQuery["x-amz-copy-source"]) !== undefined;
    const operation = findOperation(method, level, target.query, isCopy);
    if (typeof operation !== "string") exchange.api = operation.name;
    const access = typeof operation === "string" ? "write" : operation.access;
    // A form carries its proof among its fields.
    const isForm = exchange.api === "PostObject" && formBoundary(req.headers["content-type"]) !== undefined;
    const proof = isForm ? undefined : authenticate(req, target, access);
    // Only now that the signature, which is over the head as it came, is verified.
    for (const [name, value] of Object.entries(inQuery)) req.headers[name] ??= value;
    if (operation === "method-not-allowed") {
      throw new S3Error("MethodNotAllowed", "The specified method is not allowed against this resource.", {
        Method: method,
      });
    }
    if (operation === "not-implemented") throw notImplemented(`the method ${method}`);
    const action = actionOf(operation.name);
    if (action !== undefined && !allows(proof, action, target, target.bucket, target.key)) {
      throw new S3Error("AccessDenied", "Access Denied");
    }
    status.traceId = span.context.traceId;
    const context: RequestContext = {
      signal: exchange.signal,
      status,
      requestId: exchange.requestId,
      traceparent: span.context.traceparent,
      ...(proof !== undefined && { accessKeyId: proof.accessKeyId }),
    };
    return { exchange, target, operation, context, proof };
  }

  async function requireBucket(bucket: string): Promise<void> {
    if (!(await backend.bucketExists(bucket))) {
      throw new RinglightError("RL_NO_SUCH_MOUNT", `there is no mount "${bucket}"`);
    }
  }

  async function listBuckets({ exchange, target, context }: Routed): Promise<void> {
    const query = parseBucketsQuery(target.query);
    exchange.sendXml(200, bucketsDocument(query, await backend.listBuckets(context), reportedRegion));
  }

  async function list({ exchange, target, context }: Routed, version: ListQuery["version"]): Promise<void> {
    const query = parseListQuery(version, target.query);
    const request = listRequest(query);
    await requireBucket(target.bucket);
    const page = request ? await backend.list(target.bucket, request, context) : EMPTY_PAGE;
    exchange.sendXml(200, listDocument(target.bucket, query, page), { "x-amz-bucket-region": reportedRegion });
  }

  async function answerSetting({ exchange, target, operation, context }: Routed): Promise<void> {
    if (target.key === "") await requireBucket(target.bucket);
    else if (operation.name !== "ListParts") await backend.head(target.bucket, target.key, context);
    const document = settingDocument(operation.name);
    if (document === undefined) throw notImplemented(operation.name);
    exchange.sendXml(200, document);
  }

  function writeCall({ exchange, target, context, proof }: Routed): WriteCall | undefined {
    const { writes } = backend;
    return (
      writes && {
        exchange,
        target,
        context,
        backend,
        writes,
        payloadHash: proof?.payloadHash,
        secret: proof && options.credentials(proof.accessKeyId)?.secretAccessKey,
        region: reportedRegion,
        stallTimeoutMs,
        proveForm: (claim) => proveForm(claim, target.query),
        allows: (action, bucket, key) => {
          if (proof === undefined && bucket !== target.bucket) return options.anonymous?.(bucket) ?? false;
          return allows(proof, action, target, bucket, key);
        },
      }
    );
  }

  async function serveWrite(routed: Routed): Promise<void> {
    const { target, operation } = routed;
    const call = writeCall(routed);
    if (call === undefined) {
      throw new RinglightError(
        "RL_READ_ONLY",
        target.bucket === ""
          ? `${operation.name} is refused: this endpoint only reads`
          : `${operation.name} is refused: the mount "${target.bucket}" is read-only; write to the store directly`,
      );
    }
    const serveIt = WRITE_OPERATIONS.get(operation.name);
    if (serveIt === undefined) {
      if (target.bucket !== "") await requireBucket(target.bucket);
      throw notImplemented(operation.name);
    }
    await serveIt(call);
  }

  /** Serves what only the write side knows of, as far as it does: what it has no word for is not set. */
  async function servedByWrites(routed: Routed): Promise<boolean> {
    const serveIt = WRITE_OPERATIONS.get(routed.operation.name);
    const call = serveIt && writeCall(routed);
    if (serveIt === undefined || call === undefined) return false;
    try {
      await serveIt(call);
      return true;
    } catch (error) {
      if (!isRinglightError(error, "RL_NOT_IMPLEMENTED")) throw error;
      return false;
    }
  }

  async function serve(routed: Routed): Promise<void> {
    const { exchange, target, operation, context } = routed;
    if (operation.access === "write") return serveWrite(routed);
    if (await servedByWrites(routed)) return;
    const object = { backend, target, context, decorate: options.decorate, stallTimeoutMs };
    switch (operation.name) {
      case "GetObject":
      case "HeadObject":
        return sentElsewhere(exchange, target, backend) ? undefined : readObject(exchange, object);
      case "GetObjectAttributes":
        return getObjectAttributes(exchange, object);
      case "ListObjects":
        return list(routed, "v1");
      case "ListObjectsV2":
        return list(routed, "v2");
      case "ListObjectVersions":
        return list(routed, "versions");
      case "ListBuckets":
        return listBuckets(routed);
      case "HeadBucket":
        await requireBucket(target.bucket);
        return exchange.send(200, { "x-amz-bucket-region": reportedRegion }, undefined);
      case "GetBucketLocation":
        await requireBucket(target.bucket);
        return exchange.sendXml(200, locationDocument(reportedRegion));
      case "ListMultipartUploads":
        await requireBucket(target.bucket);
        return exchange.sendXml(200, uploadsDocument(target.bucket, target.query));
      default:
        return answerSetting(routed);
    }
  }

  /** Who may not list a bucket is not told which keys it has. */
  function hidden(error: unknown, routed: Routed | undefined): unknown {
    if (routed === undefined || !isRinglightError(error, "RL_NOT_FOUND")) return error;
    const { target, proof } = routed;
    return allows(proof, "s3:ListBucket", target, target.bucket, "")
      ? error
      : new S3Error("AccessDenied", "Access Denied");
  }

  function fail(exchange: Exchange, error: unknown): void {
    const answer = toS3Error(error, exchange.bucket, exchange.key, conditionName(exchange.req.headers));
    if (answer.status >= 500 && answer.status !== 501 && !exchange.signal.aborted) {
      options.onError?.(error, exchange.requestId);
    }
    exchange.sendError(answer);
  }

  return (req, res) => {
    const status = newReadStatus();
    const span = startSpan({ name: "s3", kind: "server", caller: callerTrace(req.headers) });
    let failure: unknown;
    const exchange = new Exchange(req, res, {
      requestId: options.requestId?.() ?? requestIdOf(span.context),
      hostId: options.hostId ?? "ringlight",
      nowMs,
      onDone: (done) => {
        const traceId = endOfRequest(span, done, status, exchange, failure);
        options.onRequest?.({ ...done, read: status, ...(traceId !== undefined && { traceId }) });
      },
    });
    const run = async () => {
      const routed = route(exchange, status, span);
      await serve(routed).catch((error: unknown) => {
        throw hidden(error, routed);
      });
    };
    span
      .run(run)
      .catch((error: unknown) => {
        failure = error;
        fail(exchange, error);
      })
      // Failing to say what failed leaves nothing but to cut: no request may take the process down.
      .catch(() => exchange.cut());
  };
}

/** Of a trace that begins here its first half, so that either id finds the other; in a caller's trace, which may hold many requests, a new one. */
function requestIdOf({ traceId, parentSpanId }: TraceContext): string {
  return parentSpanId === undefined ? traceId.slice(0, 16).toUpperCase() : newRequestId();
}

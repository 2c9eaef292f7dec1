/** GetObject and HeadObject. */
import type { ObjectMeta } from "@ringlight/core";
import { type ReadPlan, type RequestContext, resolvePlan, type S3Backend, type S3Read } from "./backend.ts";
import { sendBody } from "./body.ts";
import { conditionsFromHeaders } from "./conditions.ts";
import type { AnswerHeaders, Exchange } from "./exchange.ts";
import { checkVersionId, objectHeaders, overrideHeaders, validatorHeaders } from "./object-headers.ts";
import { parseRange } from "./range.ts";
import { S3Error } from "./s3-error.ts";
import type { Target } from "./target.ts";

/** A routed request for an object. */
export interface ObjectRequest {
  readonly backend: S3Backend;
  readonly target: Target;
  readonly context: RequestContext;
  readonly decorate: ((headers: AnswerHeaders, status: RequestContext["status"]) => void) | undefined;
  readonly stallTimeoutMs: number;
}

function checkEncryption(headers: Exchange["req"]["headers"]): void {
  if (headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined) {
    throw new S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.");
  }
}

/** The part that is asked for by number; the object is its own only part. */
function partNumber(query: ReadonlyMap<string, string>, range: string | undefined): number | undefined {
  const text = query.get("partNumber");
  if (text === undefined) return undefined;
  const part = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (part < 1 || part > 10_000) {
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", {
      ArgumentName: "partNumber",
      ArgumentValue: text,
    });
  }
  if (range !== undefined) {
    throw new S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter");
  }
  return part;
}

type Refused = Exclude<S3Read, { outcome: "ok" }>["outcome"];

/** Answers 304, 412 or 416. */
function sendRefused(exchange: Exchange, outcome: Refused, meta: ObjectMeta, plan: ReadPlan): void {
  if (outcome === "not-modified") {
    exchange.send(304, validatorHeaders(meta), undefined);
    return;
  }
  if (outcome === "precondition-failed") {
    const condition = plan.conditions.ifMatch === undefined ? "If-Unmodified-Since" : "If-Match";
    const message = "At least one of the pre-conditions you specified did not hold";
    exchange.sendError(new S3Error("PreconditionFailed", message, { Condition: condition }));
    return;
  }
  const error = new S3Error("InvalidRange", "The requested range is not satisfiable", {
    RangeRequested: String(exchange.req.headers.range ?? ""),
    ActualObjectSize: meta.sizeBytes,
  });
  exchange.sendError(error, { "Content-Range": `bytes */${meta.sizeBytes}`, "Accept-Ranges": "bytes" });
}

function rangeHeaders(
  headers: AnswerHeaders,
  meta: ObjectMeta,
  range: { start: number; end: number } | undefined,
  partial: boolean,
): number {
  const lengthBytes = range === undefined ? 0 : range.end - range.start + 1;
  headers["Content-Length"] = lengthBytes;
  if (partial && range) headers["Content-Range"] = `bytes ${range.start}-${range.end}/${meta.sizeBytes}`;
  return lengthBytes;
}

/** Serves GET and HEAD of an object. */
export async function readObject(exchange: Exchange, request: ObjectRequest): Promise<void> {
  const { backend, target, context } = request;
  const { headers: received } = exchange.req;
  checkVersionId(target.query);
  checkEncryption(received);
  const overrides = overrideHeaders(target.query, context.accessKeyId !== undefined);
  const part = partNumber(target.query, received.range);
  if (part !== undefined && part > 1) {
    await backend.head(target.bucket, target.key, context);
    throw new S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable");
  }
  const range = part === undefined ? parseRange(received.range) : undefined;
  const plan: ReadPlan = { conditions: conditionsFromHeaders(received), ...(range && { range }) };
  const complete = (meta: ObjectMeta): AnswerHeaders => {
    const headers = Object.assign(objectHeaders(meta), overrides);
    request.decorate?.(headers, context.status);
    return exchange.identify(headers);
  };
  if (exchange.req.method === "HEAD") {
    const meta = await backend.head(target.bucket, target.key, context);
    const resolved = resolvePlan(plan, meta);
    if (resolved.outcome !== "ok") {
      sendRefused(exchange, resolved.outcome, meta, plan);
      return;
    }
    const partial = resolved.partial || (part !== undefined && meta.sizeBytes > 0);
    const headers = complete(meta);
    rangeHeaders(headers, meta, resolved.range, partial);
    exchange.send(partial ? 206 : 200, headers, undefined);
    return;
  }
  const read = await backend.read(target.bucket, target.key, plan, context);
  if (read.outcome !== "ok") {
    sendRefused(exchange, read.outcome, read.meta, plan);
    return;
  }
  const partial = read.partial || (part !== undefined && read.meta.sizeBytes > 0);
  const lengthBytes = read.range === undefined ? 0 : read.range.end - read.range.start + 1;
  await sendBody(exchange, {
    status: partial ? 206 : 200,
    headers: () => {
      const headers = complete(read.meta);
      rangeHeaders(headers, read.meta, read.range, partial);
      return headers;
    },
    lengthBytes,
    body: read.body,
    stallTimeoutMs: request.stallTimeoutMs,
  });
}

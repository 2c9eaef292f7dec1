/** GetObject and HeadObject. */
import { isRinglightError, type ObjectChecksums, type ObjectMeta } from "@ringlight/core";
import { type ReadPlan, type RequestContext, resolvePlan, type S3Backend, type S3Read } from "./backend.ts";
import { sendBody } from "./body.ts";
import { conditionsFromHeaders } from "./conditions.ts";
import type { AnswerHeaders, Exchange } from "./exchange.ts";
import { checkVersionId, objectHeaders, overrideHeaders, validatorHeaders } from "./object-headers.ts";
import { parseRange } from "./range.ts";
import { S3Error } from "./s3-error.ts";
import type { Target } from "./target.ts";
import { checksumResponseHeaders } from "./write/checksum-headers.ts";

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

/** The tag of an object that was uploaded in parts, of which there was one. */
const ONE_PART = /-1"$/;

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

/** What a part comes to: the plan that reads it, of the version that it was found in, and the number of parts. */
interface PartPlan {
  readonly plan: ReadPlan;
  readonly partsCount: number | undefined;
  /** Of the part's bytes. */
  readonly checksums?: ObjectChecksums | undefined;
}

/** Finds a part. A backend that knows no parts has objects that are their own only part. @throws S3Error InvalidPartNumber */
async function locatePart(request: ObjectRequest, part: number, conditions: ReadPlan["conditions"]): Promise<PartPlan> {
  const { backend, target, context } = request;
  const none = () => new S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable");
  if (!backend.writes) {
    if (part === 1) return { plan: { conditions }, partsCount: undefined };
    await backend.head(target.bucket, target.key, context);
    throw none();
  }
  try {
    const found = await backend.writes.locatePart(target.bucket, target.key, part, context);
    const { range, partsCount, meta, checksums } = found;
    if (range === undefined || (range.start === 0 && range.end === meta.sizeBytes - 1)) {
      return { plan: { conditions }, partsCount, checksums };
    }
    const { start, end } = range;
    // The bounds of the part are true of this version alone.
    const ifRange = { kind: "tag", tag: { weak: false, tag: meta.etag } } as const;
    const plan: ReadPlan = { conditions: { ...conditions, ifRange }, range: { kind: "from-to", start, end } };
    return { plan, partsCount, checksums };
  } catch (error) {
    throw isRinglightError(error, "RL_BAD_RANGE") ? none() : error;
  }
}

/** Serves GET and HEAD of an object. */
export async function readObject(exchange: Exchange, request: ObjectRequest): Promise<void> {
  const { backend, target, context } = request;
  const { headers: received } = exchange.req;
  checkVersionId(target.query);
  checkEncryption(received);
  const overrides = overrideHeaders(target.query, context.accessKeyId !== undefined);
  const part = partNumber(target.query, received.range);
  const range = part === undefined ? parseRange(received.range) : undefined;
  const conditions = conditionsFromHeaders(received);
  const located = part === undefined ? undefined : await locatePart(request, part, conditions);
  const plan: ReadPlan = located?.plan ?? { conditions, ...(range && { range }) };
  const withChecksums = received["x-amz-checksum-mode"] === "ENABLED";
  const complete = (meta: ObjectMeta, isWhole: boolean): AnswerHeaders => {
    const headers = objectHeaders(meta);
    if (located !== undefined && ONE_PART.test(meta.etag)) headers["x-amz-mp-parts-count"] = 1;
    else if (located?.partsCount !== undefined && located.partsCount > 1)
      headers["x-amz-mp-parts-count"] = located.partsCount;
    // A checksum is that of all bytes: with some of them it would mislead.
    if (withChecksums && located?.checksums) Object.assign(headers, checksumResponseHeaders(located.checksums));
    else if (withChecksums && isWhole) Object.assign(headers, checksumResponseHeaders(meta.checksums));
    Object.assign(headers, overrides);
    request.decorate?.(headers, context.status);
    return exchange.identify(headers);
  };
  const isPartial = (partial: boolean, meta: ObjectMeta) => partial || (part !== undefined && meta.sizeBytes > 0);
  const covers = (bytes: { start: number; end: number } | undefined, meta: ObjectMeta) =>
    bytes === undefined || (bytes.start === 0 && bytes.end === meta.sizeBytes - 1);
  if (exchange.req.method === "HEAD") {
    const meta = await backend.head(target.bucket, target.key, context);
    const resolved = resolvePlan(plan, meta);
    if (resolved.outcome !== "ok") {
      sendRefused(exchange, resolved.outcome, meta, plan);
      return;
    }
    const partial = isPartial(resolved.partial, meta);
    const headers = complete(meta, covers(resolved.range, meta));
    rangeHeaders(headers, meta, resolved.range, partial);
    exchange.send(partial ? 206 : 200, headers, undefined);
    return;
  }
  const read = await backend.read(target.bucket, target.key, plan, context);
  if (read.outcome !== "ok") {
    sendRefused(exchange, read.outcome, read.meta, plan);
    return;
  }
  const partial = isPartial(read.partial, read.meta);
  const lengthBytes = read.range === undefined ? 0 : read.range.end - read.range.start + 1;
  await sendBody(exchange, {
    status: partial ? 206 : 200,
    headers: () => {
      const headers = complete(read.meta, covers(read.range, read.meta));
      rangeHeaders(headers, read.meta, read.range, partial);
      return headers;
    },
    lengthBytes,
    body: read.body,
    whole: read.whole,
    stallTimeoutMs: request.stallTimeoutMs,
  });
}

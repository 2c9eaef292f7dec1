/** Conditional requests (RFC 9110 §13), with the precedence that S3 documents for reads. */
import { type ObjectMeta, RinglightError, type SourceConditions, type WriteConditions } from "@ringlight/core";

/** One entity tag of a list: the opaque part with its quotes. */
export interface EntityTag {
  readonly weak: boolean;
  readonly tag: string;
}

/** A list of entity tags, or any tag at all. */
export type TagList = "*" | readonly EntityTag[];

/** The conditions of a request; what is absent does not restrict. Plain data, so that it can be relayed. */
export interface Conditions {
  readonly ifMatch?: TagList;
  readonly ifNoneMatch?: TagList;
  /** Milliseconds since the Unix epoch, whole seconds. */
  readonly ifModifiedSinceMs?: number;
  readonly ifUnmodifiedSinceMs?: number;
  /** The range counts only while the object is still this one. */
  readonly ifRange?: { readonly kind: "tag"; readonly tag: EntityTag } | { readonly kind: "date"; readonly ms: number };
}

/** No conditions at all. */
export const NO_CONDITIONS: Conditions = {};

function parseTag(text: string): EntityTag {
  const weak = text.startsWith("W/");
  const opaque = weak ? text.slice(2) : text;
  return { weak, tag: opaque.startsWith('"') ? opaque : `"${opaque}"` };
}

/** Reads `"a", W/"b", c`; S3 takes tags without quotes too. */
function parseTags(header: string): TagList {
  if (header.trim() === "*") return "*";
  const tags = header.match(/(?:W\/)?"[^"]*"|[^\s,]+/g) ?? [];
  return tags.map(parseTag);
}

function parseDate(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = Date.parse(header);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000) * 1000;
}

/** Headers by lower-case name, as node:http gives them. */
export type ReceivedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

function text(headers: ReceivedHeaders, name: string): string | undefined {
  const value = headers[name];
  return value === undefined || typeof value === "string" ? value : value.join(", ");
}

/** Reads all conditional headers. Dates that are none are ignored, as RFC 9110 says. */
export function conditionsFromHeaders(headers: ReceivedHeaders): Conditions {
  const ifMatch = text(headers, "if-match");
  const ifNoneMatch = text(headers, "if-none-match");
  const modified = parseDate(text(headers, "if-modified-since"));
  const unmodified = parseDate(text(headers, "if-unmodified-since"));
  const ifRange = text(headers, "if-range");
  if (
    ifMatch === undefined &&
    ifNoneMatch === undefined &&
    modified === undefined &&
    unmodified === undefined &&
    ifRange === undefined
  ) {
    return NO_CONDITIONS;
  }
  return {
    ...(ifMatch !== undefined && { ifMatch: parseTags(ifMatch) }),
    ...(ifNoneMatch !== undefined && { ifNoneMatch: parseTags(ifNoneMatch) }),
    ...(modified !== undefined && { ifModifiedSinceMs: modified }),
    ...(unmodified !== undefined && { ifUnmodifiedSinceMs: unmodified }),
    ...(ifRange !== undefined && { ifRange: parseIfRange(ifRange.trim()) }),
  };
}

function parseIfRange(value: string): NonNullable<Conditions["ifRange"]> {
  const quoted = value.startsWith('"') || value.startsWith("W/");
  const ms = quoted ? undefined : parseDate(value);
  return ms === undefined ? { kind: "tag", tag: parseTag(value) } : { kind: "date", ms };
}

/** Strong comparison: a weak tag is equal to none. */
function sameStrong(list: TagList, etag: string): boolean {
  if (list === "*") return true;
  return !etag.startsWith("W/") && list.some((entry) => !entry.weak && entry.tag === etag);
}

function sameWeak(list: TagList, etag: string): boolean {
  if (list === "*") return true;
  const opaque = etag.startsWith("W/") ? etag.slice(2) : etag;
  return list.some((entry) => entry.tag === opaque);
}

/** What the conditions say: go on, answer 304, or answer 412. */
export type ConditionOutcome = "ok" | "not-modified" | "precondition-failed";

/**
 * Evaluates the conditions against an object's current state. A true If-Match overrides If-Unmodified-Since, and an
 * If-None-Match overrides If-Modified-Since; the pair that can fail comes first.
 */
export function evaluateConditions(
  conditions: Conditions,
  meta: Pick<ObjectMeta, "etag" | "modifiedMs">,
): ConditionOutcome {
  if (conditions === NO_CONDITIONS) return "ok";
  const modifiedMs = Math.floor(meta.modifiedMs / 1000) * 1000;
  if (conditions.ifMatch !== undefined) {
    if (!sameStrong(conditions.ifMatch, meta.etag)) return "precondition-failed";
  } else if (conditions.ifUnmodifiedSinceMs !== undefined && modifiedMs > conditions.ifUnmodifiedSinceMs) {
    return "precondition-failed";
  }
  if (conditions.ifNoneMatch !== undefined) {
    if (sameWeak(conditions.ifNoneMatch, meta.etag)) return "not-modified";
  } else if (conditions.ifModifiedSinceMs !== undefined && modifiedMs <= conditions.ifModifiedSinceMs) {
    return "not-modified";
  }
  return "ok";
}

/** False when an If-Range names another state of the object than this one: the range is then ignored. */
export function rangeApplies(conditions: Conditions, meta: Pick<ObjectMeta, "etag" | "modifiedMs">): boolean {
  const { ifRange } = conditions;
  if (ifRange === undefined) return true;
  if (ifRange.kind === "tag") return sameStrong([ifRange.tag], meta.etag);
  return Math.floor(meta.modifiedMs / 1000) * 1000 === ifRange.ms;
}

/**
 * Checks the conditions of a write against the object that it would replace, undefined when there is none. For backends that
 * have no store to do so. @throws RL_NOT_FOUND or RL_PRECONDITION_FAILED
 */
export function checkWriteConditions(
  given: WriteConditions | undefined,
  current: Pick<ObjectMeta, "etag" | "modifiedMs"> | undefined,
): void {
  if (given === undefined) return;
  if (given.ifMatch !== undefined) {
    if (current === undefined) throw new RinglightError("RL_NOT_FOUND", "there is no object to match");
    if (!sameStrong(parseTags(given.ifMatch), current.etag)) throw conditionFailed("If-Match");
  }
  if (
    given.ifNoneMatch !== undefined &&
    current !== undefined &&
    sameWeak(parseTags(given.ifNoneMatch), current.etag)
  ) {
    throw conditionFailed("If-None-Match");
  }
}

/** Checks the conditions on the source of a copy. For backends that have no store to do so. @throws RL_PRECONDITION_FAILED */
export function checkSourceConditions(
  given: SourceConditions | undefined,
  source: Pick<ObjectMeta, "etag" | "modifiedMs">,
): void {
  if (given === undefined) return;
  const conditions = conditionsFromHeaders({
    "if-match": given.ifMatch,
    "if-none-match": given.ifNoneMatch,
    "if-modified-since": given.ifModifiedSince,
    "if-unmodified-since": given.ifUnmodifiedSince,
  });
  if (evaluateConditions(conditions, source) !== "ok") throw conditionFailed("x-amz-copy-source-if-*");
}

function conditionFailed(condition: string): RinglightError {
  return new RinglightError(
    "RL_PRECONDITION_FAILED",
    `At least one of the pre-conditions you specified did not hold: ${condition}`,
  );
}

const CONDITION_NAMES = [
  "x-amz-copy-source-If-Match",
  "x-amz-copy-source-If-None-Match",
  "x-amz-copy-source-If-Modified-Since",
  "x-amz-copy-source-If-Unmodified-Since",
  "If-Match",
  "If-None-Match",
];

/** The condition that a request makes, as S3 names it in an error; the likeliest one of several. */
export function conditionName(headers: ReceivedHeaders): string | undefined {
  return CONDITION_NAMES.find((name) => headers[name.toLowerCase()] !== undefined);
}

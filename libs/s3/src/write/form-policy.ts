/** The policy of a browser upload: until when it holds, and what the form may say. */
import { S3Error } from "../s3-error.ts";
import type { FormFields } from "./form-reader.ts";

/** What the policy leaves to be checked when the file is there. */
export interface PolicyLimits {
  /** Bytes that the file may have. */
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** Fields that need no condition: the proof itself, and what the client wants to be passed over. */
const FREE = /^(policy|x-amz-signature|file|x-ignore-.*)$/;
const EXPIRATION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

function invalid(why: string): S3Error {
  return new S3Error("InvalidPolicyDocument", `Invalid Policy: ${why}`);
}

function violated(why: string): S3Error {
  return new S3Error("AccessDenied", `Invalid according to Policy: ${why}`);
}

function parse(policy: string): { readonly expiration: number; readonly conditions: readonly unknown[] } {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(policy, "base64").toString("utf8"));
  } catch {
    throw invalid("Invalid JSON.");
  }
  if (typeof document !== "object" || document === null) throw invalid("Invalid JSON.");
  const { expiration, conditions } = document as Readonly<Record<string, unknown>>;
  if (expiration === undefined) throw invalid("Policy missing expiration.");
  const ms = typeof expiration === "string" && EXPIRATION.test(expiration) ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(ms)) throw invalid(`Invalid 'expiration' value: '${String(expiration)}'`);
  if (conditions === undefined) throw invalid("Policy missing conditions.");
  if (!Array.isArray(conditions)) throw invalid("Invalid 'conditions' value: must be a List.");
  return { expiration: ms, conditions };
}

/** A condition in its long form. @throws S3Error InvalidPolicyDocument */
function longForm(condition: unknown): readonly [operator: string, first: unknown, second: unknown] {
  if (Array.isArray(condition)) {
    const [operator, first, second] = condition as readonly unknown[];
    if (typeof operator !== "string" || condition.length !== 3) throw invalid("Invalid condition.");
    return [operator.toLowerCase(), first, second];
  }
  if (typeof condition !== "object" || condition === null) throw invalid("Invalid condition.");
  const [only, another] = Object.entries(condition);
  if (only === undefined || another !== undefined)
    throw invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.");
  return ["eq", `$${only[0]}`, only[1]];
}

function byteCount(value: unknown): number {
  const count = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 0) {
    throw invalid("Invalid content-length-range: both ends must be whole numbers.");
  }
  return count;
}

/**
 * Holds a form against its policy: every condition must hold, and every field must stand in one. `values` has the fields
 * and the bucket, in text. @throws S3Error InvalidPolicyDocument, or AccessDenied for what the policy does not allow
 */
export function checkPolicy(policy: string, values: FormFields, now: number): PolicyLimits {
  const { expiration, conditions } = parse(policy);
  if (now > expiration) throw violated("Policy expired.");
  let leastBytes = 0;
  let mostBytes = Number.POSITIVE_INFINITY;
  const named = new Set<string>(["bucket"]);
  for (const condition of conditions) {
    const [operator, first, second] = longForm(condition);
    if (operator === "content-length-range") {
      leastBytes = Math.max(leastBytes, byteCount(first));
      mostBytes = Math.min(mostBytes, byteCount(second));
      continue;
    }
    if (typeof first !== "string" || !first.startsWith("$") || typeof second !== "string") {
      throw invalid("Invalid condition: a field as $name and a text are expected.");
    }
    if (operator !== "eq" && operator !== "starts-with")
      throw invalid(`Invalid condition: unknown operation '${operator}'.`);
    const name = first.slice(1).toLowerCase();
    named.add(name);
    const value = values.get(name) ?? "";
    const holds = operator === "eq" ? value === second : value.startsWith(second);
    if (!holds) throw violated(`Policy Condition failed: ${JSON.stringify([operator, first, second])}`);
  }
  const extra = [...values.keys()].filter((name) => !named.has(name) && !FREE.test(name));
  if (extra.length > 0) throw violated(`Extra input fields: ${extra.join(", ")}`);
  return { leastBytes, mostBytes };
}

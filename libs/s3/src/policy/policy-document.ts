/**
 * Policies of access keys: a subset of IAM's JSON. Statements of Effect, Action or NotAction, Resource or NotResource, and
 * Condition (StringEquals, StringNotEquals, StringLike, StringNotLike on s3:prefix, s3:delimiter, s3:max-keys and
 * aws:username). An explicit Deny wins; what no statement allows is denied. Whatever else IAM knows is refused when the
 * policy is read, for a rule that is silently without effect is worse than none.
 */
import { RinglightError } from "@ringlight/core";

/** What a request wants to do, as policies see it. */
export interface PolicyRequest {
  /** As "s3:GetObject". */
  readonly action: string;
  /** As "arn:aws:s3:::bucket/key". */
  readonly resource: string;
  /** Name of the key's user: ${aws:username}. */
  readonly username: string;
  /** Values of condition keys; one that the request has no value for is absent. */
  readonly conditions: ReadonlyMap<string, string>;
}

/** A parsed policy. */
export interface Policy {
  /** True when the policy allows the request. */
  allows(request: PolicyRequest): boolean;
}

const PREFIX = "arn:aws:s3:::";

/** The resource name of a bucket, of a key in it, or of the service for two empty names. */
export function resourceName(bucket: string, key: string): string {
  if (bucket === "") return `${PREFIX}*`;
  return key === "" ? `${PREFIX}${bucket}` : `${PREFIX}${bucket}/${key}`;
}

function bad(where: string, what: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", `the policy's ${where} ${what}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(value: unknown, where: string): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw bad(where, "is an empty list");
  return list.map((item) => {
    if (typeof item !== "string" || item === "") throw bad(where, "must be a text or a list of texts");
    return item;
  });
}

/**
 * Matches "*" (any text) and "?" (one character) in time proportional to both lengths' product at worst: a pattern is
 * somebody's input, and a regular expression made of it could take for ever.
 */
export function matchesWildcards(pattern: string, text: string): boolean {
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (pattern[inPattern] === "*") {
      star = inPattern++;
      resume = at;
    } else if (inPattern < pattern.length && (pattern[inPattern] === "?" || pattern[inPattern] === text[at])) {
      inPattern++;
      at++;
    } else if (star !== -1) {
      inPattern = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === "*") inPattern++;
  return inPattern === pattern.length;
}

const VARIABLE = /\$\{([^}]*)\}/g;
const VARIABLES = new Set(["aws:username", "*", "?", "$"]);

function checkVariables(text: string, where: string): void {
  for (const [whole, name = ""] of text.matchAll(VARIABLE)) {
    if (!VARIABLES.has(name)) throw bad(where, `has the variable ${whole}; only \${aws:username} is known`);
  }
}

/** Stands for a literal "*" or "?" while a pattern is matched: no request holds NUL or SOH. */
const LITERALS: Readonly<Record<string, string>> = { "*": "\u0001", "?": "\u0002", $: "$" };

function expand(pattern: string, username: string): string {
  if (!pattern.includes("${")) return pattern;
  // What a name brings along is never a wildcard.
  const safe = username.replaceAll("*", "\u0001").replaceAll("?", "\u0002");
  return pattern.replace(VARIABLE, (_, name: string) => (name === "aws:username" ? safe : (LITERALS[name] ?? "")));
}

function matches(pattern: string, text: string, username: string): boolean {
  const expanded = expand(pattern, username);
  const shielded =
    expanded.includes("\u0001") || expanded.includes("\u0002")
      ? text.replaceAll("*", "\u0001").replaceAll("?", "\u0002")
      : text;
  return matchesWildcards(expanded, shielded);
}

interface Condition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

const OPERATORS = new Set(["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]);
const CONDITION_KEYS = new Set(["s3:prefix", "s3:delimiter", "s3:max-keys", "aws:username"]);

function parseConditions(value: unknown): Condition[] {
  if (value === undefined) return [];
  if (!isRecord(value)) throw bad("Condition", "must be an object");
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (!OPERATORS.has(operator))
      throw bad("Condition", `has the operator "${operator}"; known: ${[...OPERATORS].join(", ")}`);
    if (!isRecord(keys)) throw bad(`Condition ${operator}`, "must be an object");
    return Object.entries(keys).map(([key, values]): Condition => {
      const name = key.toLowerCase();
      if (!CONDITION_KEYS.has(name))
        throw bad(`Condition ${operator}`, `has the key "${key}"; known: ${[...CONDITION_KEYS].join(", ")}`);
      const list = Array.isArray(values) ? values : [values];
      // A prefix may be compared with nothing at all: the whole bucket.
      const parsed = list.map((item: unknown) => {
        if (typeof item !== "string") throw bad(`Condition ${operator} ${key}`, "must be a text or a list of texts");
        checkVariables(item, `Condition ${operator} ${key}`);
        return item;
      });
      return { operator, key: name, values: parsed };
    });
  });
}

function holds(condition: Condition, request: PolicyRequest): boolean {
  const value = condition.key === "aws:username" ? request.username : request.conditions.get(condition.key);
  const isNot = condition.operator.startsWith("StringNot");
  // As in IAM: a key that the request has no value for fails a positive comparison and passes a negative one.
  if (value === undefined) return isNot;
  const equals = condition.operator.endsWith("Equals");
  const found = condition.values.some((pattern) =>
    equals ? expand(pattern, request.username) === value : matches(pattern, value, request.username),
  );
  return found !== isNot;
}

interface Statement {
  readonly allow: boolean;
  readonly actions: readonly string[];
  readonly notActions: boolean;
  readonly resources: readonly string[];
  readonly notResources: boolean;
  readonly conditions: readonly Condition[];
}

const STATEMENT_FIELDS = new Set(["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"]);

function exactlyOne(statement: Readonly<Record<string, unknown>>, name: string): { values: string[]; not: boolean } {
  const positive = statement[name];
  const negative = statement[`Not${name}`];
  if ((positive === undefined) === (negative === undefined)) {
    throw bad("Statement", `must have either ${name} or Not${name}`);
  }
  return { values: texts(positive ?? negative, name), not: positive === undefined };
}

function parseStatement(value: unknown): Statement {
  if (!isRecord(value)) throw bad("Statement", "must be an object or a list of objects");
  for (const field of Object.keys(value)) {
    if (!STATEMENT_FIELDS.has(field)) throw bad("Statement", `has the unknown field "${field}"`);
  }
  const { Effect: effect } = value;
  if (effect !== "Allow" && effect !== "Deny") throw bad("Effect", 'must be "Allow" or "Deny"');
  const actions = exactlyOne(value, "Action");
  for (const action of actions.values) {
    if (action !== "*" && !/^s3:[a-z*?]+$/i.test(action)) throw bad("Action", `"${action}" is none of s3`);
  }
  const resources = exactlyOne(value, "Resource");
  for (const resource of resources.values) {
    if (resource !== "*" && !resource.startsWith(PREFIX))
      throw bad("Resource", `"${resource}" does not begin with ${PREFIX}`);
    checkVariables(resource, "Resource");
  }
  return {
    allow: effect === "Allow",
    actions: actions.values.map((action) => action.toLowerCase()),
    notActions: actions.not,
    resources: resources.values,
    notResources: resources.not,
    conditions: parseConditions(value.Condition),
  };
}

function applies(statement: Statement, action: string, request: PolicyRequest): boolean {
  const named = statement.actions.some((pattern) => matchesWildcards(pattern, action));
  if (named === statement.notActions) return false;
  const meant = statement.resources.some((pattern) => matches(pattern, request.resource, request.username));
  if (meant === statement.notResources) return false;
  return statement.conditions.every((condition) => holds(condition, request));
}

/** Reads a policy document. @throws RL_BAD_REQUEST naming what is not understood */
export function parsePolicy(document: unknown): Policy {
  if (!isRecord(document)) throw bad("document", "must be a JSON object");
  for (const field of Object.keys(document)) {
    if (field !== "Version" && field !== "Id" && field !== "Statement")
      throw bad("document", `has the unknown field "${field}"`);
  }
  if (document.Version !== undefined && document.Version !== "2012-10-17" && document.Version !== "2008-10-17") {
    throw bad("Version", 'must be "2012-10-17"');
  }
  const given: unknown[] = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  const statements = given.map(parseStatement);
  const denials = statements.filter((statement) => !statement.allow);
  const permissions = statements.filter((statement) => statement.allow);
  return {
    allows(request) {
      const action = request.action.toLowerCase();
      if (denials.some((statement) => applies(statement, action, request))) return false;
      return permissions.some((statement) => applies(statement, action, request));
    },
  };
}

/** The policy that allows everything. */
export const FULL_ACCESS_DOCUMENT = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "s3:*", Resource: "arn:aws:s3:::*" }],
} as const;

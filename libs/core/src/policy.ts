/** Rules by path: how long pages of some paths stay, which leave first, which never, and how much room they have. */
import { RinglightError } from "./errors.ts";
import { globMatcher, isGlob, plain } from "./glob.ts";
import { parsePath } from "./path.ts";
import { parseBytes, parseDuration } from "./units.ts";

/** Which pages leave first when room is needed: all of a lower priority before any of a higher one. */
export const PRIORITIES = ["low", "normal", "high"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** One rule. It says at least one of ttl, pin, priority and quota. */
export interface PolicyRule {
  /** Unique among the rules. */
  readonly name: string;
  /** As in jobs: /mount, /mount/dir/, /mount/name (the object, and all below name/), or a pattern. */
  readonly path: string;
  /** Pages leave so long after they came, milliseconds. */
  readonly ttlMs?: number;
  /** Pages stay while pins have room. False takes pages out of a later rule's pin. */
  readonly pin?: boolean;
  readonly priority?: Priority;
  /** Bound on the bytes of the path in the cache of the whole cluster, copies included. */
  readonly quotaBytes?: number;
}

/** What is wrong with rules that somebody wrote, and where: field names and positions from the outside in. */
export interface PolicyProblem {
  readonly at: readonly (string | number)[];
  readonly message: string;
}

/** Most rules there may be. */
export const MAX_POLICY_RULES = 100;

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/;
const FIELDS = ["name", "path", "ttl", "pin", "priority", "quota"];
const LEAST_TTL_MS = 1_000;

/** Reads rules as they are written in YAML and JSON: {rules: [{name, path, ttl: "1h", pin: true, priority: "low", quota: "20GiB"}]}. */
export function readPolicyRules(document: unknown): {
  readonly rules: readonly PolicyRule[];
  readonly problems: readonly PolicyProblem[];
} {
  const problems: PolicyProblem[] = [];
  const rules: PolicyRule[] = [];
  const list = fieldsOf(document)?.get("rules");
  for (const field of fieldsOf(document)?.keys() ?? []) {
    if (field !== "rules") problems.push({ at: [field], message: `there is no field "${field}"; it is rules` });
  }
  if (!Array.isArray(list)) {
    problems.push({
      at: [],
      message: "rules is not a list; write rules: and below it one rule an entry, or rules: []",
    });
    return { rules, problems };
  }
  if (list.length > MAX_POLICY_RULES) {
    problems.push({ at: ["rules"], message: `there are ${list.length} rules; at most ${MAX_POLICY_RULES}` });
  }
  const names = new Set<string>();
  for (const [index, entry] of list.entries()) {
    const at = ["rules", index];
    const rule = readRule(entry, (field, message) =>
      problems.push({ at: field === "" ? at : [...at, field], message }),
    );
    if (rule === undefined) continue;
    if (names.has(rule.name)) problems.push({ at: [...at, "name"], message: `two rules are named "${rule.name}"` });
    names.add(rule.name);
    rules.push(rule);
  }
  return { rules, problems };
}

/** As readPolicyRules(). @throws RL_BAD_REQUEST naming the fields */
export function parsePolicyRules(document: unknown): readonly PolicyRule[] {
  const { rules, problems } = readPolicyRules(document);
  if (problems.length === 0) return rules;
  const words = problems.map(({ at, message }) => `${formatField(at)}${message}`);
  throw new RinglightError("RL_BAD_REQUEST", words.join("; "));
}

/** A place in the rules as people write it: "rules[2].ttl: ". */
export function formatField(at: PolicyProblem["at"]): string {
  if (at.length === 0) return "";
  return `${at.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("")}: `;
}

/** A rule as it is written: what readPolicyRules() reads. */
export function writtenRule(rule: PolicyRule): Readonly<Record<string, string | boolean>> {
  return {
    name: rule.name,
    path: rule.path,
    ...(rule.ttlMs !== undefined && { ttl: exactDuration(rule.ttlMs) }),
    ...(rule.pin !== undefined && { pin: rule.pin }),
    ...(rule.priority !== undefined && { priority: rule.priority }),
    ...(rule.quotaBytes !== undefined && { quota: exactBytes(rule.quotaBytes) }),
  };
}

/** What changes from some rules to others. `moved`: the rules are the same, in another order, and the first that matches decides. */
export type PolicyChange =
  | { readonly kind: "added"; readonly after: PolicyRule }
  | { readonly kind: "removed"; readonly before: PolicyRule }
  | { readonly kind: "changed"; readonly before: PolicyRule; readonly after: PolicyRule }
  | { readonly kind: "moved"; readonly before: readonly string[]; readonly after: readonly string[] };

/** The changes from some rules to others; none where they are the same. */
export function diffPolicies(before: readonly PolicyRule[], after: readonly PolicyRule[]): PolicyChange[] {
  const changes: PolicyChange[] = [];
  const known = new Map(before.map((rule) => [rule.name, rule]));
  for (const rule of after) {
    const was = known.get(rule.name);
    if (was === undefined) changes.push({ kind: "added", after: rule });
    else if (!isSame(was, rule)) changes.push({ kind: "changed", before: was, after: rule });
  }
  const names = new Set(after.map(({ name }) => name));
  for (const rule of before) if (!names.has(rule.name)) changes.push({ kind: "removed", before: rule });
  const order = (rules: readonly PolicyRule[], other: ReadonlySet<string>) =>
    rules.map(({ name }) => name).filter((name) => other.has(name));
  const was = order(before, names);
  const is = order(after, new Set(known.keys()));
  if (was.join("\n") !== is.join("\n")) changes.push({ kind: "moved", before: was, after: is });
  return changes;
}

/** What the rules say of one path. */
export interface PathPolicy {
  readonly ttlMs?: number;
  readonly pin?: boolean;
  readonly priority?: Priority;
  /** Positions of all rules that bound bytes the path counts for. */
  readonly quotas: readonly number[];
  /** Names of the rules that say so. */
  readonly rules: readonly string[];
}

/** Compiles rules: of ttl, pin and priority each, the first rule that matches and says something of it decides; every quota counts. */
export function policyMatcher(rules: readonly PolicyRule[]): (mount: string, key: string) => PathPolicy | undefined {
  const byMount = new Map<
    string,
    { readonly rule: PolicyRule; readonly at: number; readonly is: (key: string) => boolean }[]
  >();
  for (const [at, rule] of rules.entries()) {
    const { mount, key } = parsePath(rule.path);
    const compiled = byMount.get(mount) ?? [];
    compiled.push({ rule, at, is: pathMatcher(key) });
    byMount.set(mount, compiled);
  }
  return (mount, key) => {
    const matching = byMount.get(mount)?.filter(({ is }) => is(key));
    if (matching === undefined || matching.length === 0) return undefined;
    const first = <K extends "ttlMs" | "pin" | "priority">(field: K) =>
      matching.find(({ rule }) => rule[field] !== undefined)?.rule;
    const [ttl, pin, priority] = [first("ttlMs"), first("pin"), first("priority")];
    const quotas = matching.filter(({ rule }) => rule.quotaBytes !== undefined);
    const names = new Set([ttl, pin, priority, ...quotas.map(({ rule }) => rule)].flatMap((rule) => rule?.name ?? []));
    return {
      ...(ttl?.ttlMs !== undefined && { ttlMs: ttl.ttlMs }),
      ...(pin?.pin !== undefined && { pin: pin.pin }),
      ...(priority?.priority !== undefined && { priority: priority.priority }),
      quotas: quotas.map(({ at }) => at),
      rules: [...names],
    };
  };
}

/** What one rule says of one path. */
export interface RuleEffect {
  readonly rule: string;
  /** As it is written in the rule. */
  readonly path: string;
  readonly field: "ttl" | "pin" | "priority" | "quota";
  /** As it is written in the rule. */
  readonly value: string;
  /** The earlier rule that decides the field in this one's place; absent where this one does. */
  readonly decidedBy?: string;
  /** What it comes to, for people. */
  readonly sentence: string;
}

/** What each rule that matches a path says of it, in the order of the rules. The same words wherever a path is explained. */
export function ruleEffects(rules: readonly PolicyRule[], mount: string, key: string): RuleEffect[] {
  const effects: RuleEffect[] = [];
  const deciders = new Map<string, string>();
  for (const rule of rules) {
    const asked = parsePath(rule.path);
    if (asked.mount !== mount || !pathMatcher(asked.key)(key)) continue;
    const written = writtenRule(rule);
    for (const field of ["ttl", "pin", "priority", "quota"] as const) {
      if (written[field] === undefined) continue;
      const value = String(written[field]);
      // Every quota counts; of the others the first rule that says something decides.
      const decidedBy = field === "quota" ? undefined : deciders.get(field);
      if (decidedBy === undefined) deciders.set(field, rule.name);
      effects.push({
        rule: rule.name,
        path: rule.path,
        field,
        value,
        ...(decidedBy !== undefined && { decidedBy }),
        sentence:
          decidedBy === undefined
            ? sentenceOf(field, value)
            : `No effect: the rule "${decidedBy}" comes before it and decides ${field}.`,
      });
    }
  }
  return effects;
}

/** Why a page that was cached left by a rule, by the kind of the rule, and what to do. */
export const EVICTED_BY_RULE: Readonly<
  Record<"ttl" | "quota", { readonly sentence: string; readonly remedy: string }>
> = {
  ttl: {
    sentence: "The page was cached, and left by a rule: its time was over.",
    remedy: "Change the rule: ringlight policy ls",
  },
  quota: {
    sentence: "The page was cached, and left by a rule: its path was beyond its quota.",
    remedy: "Change the rule: ringlight policy ls",
  },
};

function sentenceOf(field: RuleEffect["field"], value: string): string {
  if (field === "ttl") return `Pages leave ${value} after they came, whether they are read or not.`;
  if (field === "quota") return `Its bytes count for a bound of ${value} over the whole cluster.`;
  if (field === "pin") {
    return value === "true"
      ? "Pages stay through any pressure, while pins take at most three quarters of their tier."
      : "Pages are not pinned, whatever later rules say.";
  }
  if (value === "low") return "Pages leave before any of a normal or high priority.";
  return value === "high"
    ? "Pages leave last, when none of a lower priority are left."
    : "Pages leave after those of a low priority and before those of a high one.";
}

function pathMatcher(asked: string): (key: string) => boolean {
  if (isGlob(asked)) return globMatcher(asked);
  const name = plain(asked);
  if (name === "") return () => true;
  const folder = name.endsWith("/") ? name : `${name}/`;
  return (key) => key === name || key.startsWith(folder);
}

function readRule(entry: unknown, problem: (field: string, message: string) => void): PolicyRule | undefined {
  const fields = fieldsOf(entry);
  if (fields === undefined) {
    problem("", "a rule is not a map of fields");
    return undefined;
  }
  for (const field of fields.keys()) {
    if (!FIELDS.includes(field)) problem(field, `there is no field "${field}"; there are ${FIELDS.join(", ")}`);
  }
  const text = (field: string, read: (value: string) => unknown): unknown => {
    const value = fields.get(field);
    if (value === undefined) return undefined;
    if (typeof value !== "string" && typeof value !== "number") {
      problem(field, `${field} is ${JSON.stringify(value)}, and not a text`);
      return undefined;
    }
    try {
      return read(String(value));
    } catch (error) {
      problem(field, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  for (const field of ["name", "path"]) if (fields.get(field) === undefined) problem("", `${field} is missing`);
  const name = text("name", (value) => {
    if (!NAME.test(value)) throw new Error(`"${value}" cannot be a name: up to 64 letters, digits, blanks and ._-`);
    return value;
  });
  const path = text("path", (value) => {
    pathMatcher(parsePath(value).key);
    return value;
  });
  const ttlMs = text("ttl", (value) => {
    const ms = parseDuration(value);
    if (ms < LEAST_TTL_MS) throw new Error(`${value} is less than a second`);
    return ms;
  });
  const quotaBytes = text("quota", (value) => {
    const bytes = parseBytes(value);
    if (bytes === 0)
      throw new Error("a quota of nothing; mount the path with eviction=freeze, or leave it to priority: low");
    return bytes;
  });
  const priority = text("priority", (value) => {
    if (!PRIORITIES.some((known) => known === value)) throw new Error(`"${value}" is none of ${PRIORITIES.join(", ")}`);
    return value;
  });
  const pin = fields.get("pin");
  if (pin !== undefined && typeof pin !== "boolean")
    problem("pin", `pin is ${JSON.stringify(pin)}; it is true or false`);
  if (!["ttl", "pin", "priority", "quota"].some((field) => fields.has(field))) {
    problem("", "the rule says none of ttl, pin, priority and quota");
  }
  if (pin === true && ttlMs !== undefined) problem("pin", "pin and ttl contradict each other: what is pinned stays");
  if (typeof name !== "string" || typeof path !== "string") return undefined;
  return {
    name,
    path,
    ...(typeof ttlMs === "number" && { ttlMs }),
    ...(typeof pin === "boolean" && { pin }),
    ...(isPriority(priority) && { priority }),
    ...(typeof quotaBytes === "number" && { quotaBytes }),
  };
}

function isPriority(value: unknown): value is Priority {
  return PRIORITIES.some((known) => known === value);
}

function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}

function isSame(a: PolicyRule, b: PolicyRule): boolean {
  return JSON.stringify(writtenRule(a)) === JSON.stringify(writtenRule(b));
}

/** The largest unit in which a number is whole. */
function exact(value: number, units: readonly (readonly [text: string, size: number])[]): string {
  const [text, size] = units.find(([, unit]) => value % unit === 0 && value >= unit) ?? units.at(-1) ?? ["", 1];
  return `${value / size}${text}`;
}

const exactDuration = (ms: number) =>
  exact(ms, [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ]);

const exactBytes = (bytes: number) =>
  exact(bytes, [
    ["TiB", 1024 ** 4],
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
    ["B", 1],
  ]);

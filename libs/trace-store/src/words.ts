/**
 * The dictionary of attributes: which keys and values there are (for completion), and which of them are indexed. A key is
 * indexed until it has shown too many different values (byte counts, offsets); then it is searched for by reading the
 * traces themselves. Keys that name one thing of which there are many (a job, a path) are always indexed.
 */
import { hash } from "node:crypto";
import type { Database } from "./database.ts";
import type { AttributeValue, ResourceRecord, SpanRecord } from "./traces.ts";

/** Most values of a key that are remembered and indexed. */
const VALUES_LIMIT = 512;
/** Most keys that are remembered. */
const KEYS_LIMIT = 1000;
/** Longer values are not indexed. */
const VALUE_LENGTH = 256;
/** The value that marks a key with too many values in the table. */
const OPEN = "\u0000open";

/** Span attributes of Ringlight that traces are looked up by. */
export const KNOWN = {
  outcome: "ringlight.outcome",
  missReason: "ringlight.miss.reason",
  tier: "ringlight.tier",
  mount: "ringlight.mount",
  jobId: "ringlight.job.id",
  pathHash: "ringlight.key.hash",
  keep: "ringlight.keep",
} as const;

const ALWAYS = new Set<string>([KNOWN.jobId, KNOWN.pathHash]);

/** Keys under which what is not an attribute is indexed. No attribute begins with a NUL. */
const NAME = "\u0000name";
const SERVICE = "\u0000service";
const RESOURCE = "\u0000resource";

/** An attribute's value as searches compare it. */
export function attributeText(value: AttributeValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** 53 bits of SHA-256: a whole number that JavaScript holds. Only what is new or asked for is hashed; the rest is remembered. */
function hash53(text: string): number {
  const digest = hash("sha256", text, "buffer");
  return (digest.readUInt32BE(0) & 0x1fffff) * 0x100000000 + digest.readUInt32BE(4);
}

interface Key {
  /** Value → how often it was seen by this process, and its token. */
  readonly values: Map<string, { count: number; readonly token: number }>;
  /** Too many values: not indexed. */
  open: boolean;
}

export class Words {
  readonly #db: Database;
  readonly #keys = new Map<string, Key>();
  readonly #names = new Map<string, { count: number; readonly token: number }>();
  readonly #services = new Map<string, { count: number; readonly token: number }>();

  constructor(db: Database) {
    this.#db = db;
    for (const row of db.statement("SELECT key, value FROM word").iterate()) {
      const { key, value } = row as { key: string; value: string };
      if (key === NAME || key === SERVICE) {
        (key === NAME ? this.#names : this.#services).set(value, { count: 0, token: hash53(`${key}\u0000${value}`) });
        continue;
      }
      const entry = this.#key(key);
      if (value === OPEN) entry.open = true;
      else entry.values.set(value, { count: 0, token: hash53(`${key}\u0000${value}`) });
    }
  }

  /** Adds the tokens of a span to the set, and what is new to the dictionary. */
  spanTokens(span: Pick<SpanRecord, "name" | "attributes">, tokens: Set<number>): void {
    tokens.add(this.#plain(this.#names, NAME, span.name));
    for (const key in span.attributes) {
      const token = this.#attribute(key, span.attributes[key]!);
      if (token !== undefined) tokens.add(token);
    }
  }

  /** Tokens of a resource: itself and its service. Its attributes are looked up among the resources. */
  resourceTokens(id: number, resource: ResourceRecord): readonly number[] {
    return [this.resource(id), this.#plain(this.#services, SERVICE, resource.service)];
  }

  /** Token of a resource by its number in the table. */
  resource(id: number): number {
    return hash53(`${RESOURCE}\u0000${id}`);
  }

  service(value: string): number {
    return hash53(`${SERVICE}\u0000${value}`);
  }

  /** Tokens of the names: one, or with a star at the end those that begin so and are remembered. */
  names(pattern: string): number[] {
    if (!pattern.endsWith("*")) return [hash53(`${NAME}\u0000${pattern}`)];
    const start = pattern.slice(0, -1);
    return [...this.#names].filter(([name]) => name.startsWith(start)).map(([, { token }]) => token);
  }

  /** Token of an attribute, or undefined when its key is not indexed. */
  attribute(key: string, value: string): number | undefined {
    if (value.length > VALUE_LENGTH) return undefined;
    const known = this.#keys.get(key);
    if (known?.open && !ALWAYS.has(key)) return undefined;
    if (known === undefined && this.#keys.size >= KEYS_LIMIT) return undefined;
    return hash53(`${key}\u0000${value}`);
  }

  services(prefix: string, limit: number): string[] {
    return ranked(this.#services, prefix, limit);
  }

  spanNames(prefix: string, limit: number): string[] {
    return ranked(this.#names, prefix, limit);
  }

  keys(prefix: string, limit: number): string[] {
    return [...this.#keys.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort()
      .slice(0, limit);
  }

  values(key: string, prefix: string, limit: number): string[] {
    return ranked(this.#keys.get(key)?.values ?? new Map(), prefix, limit);
  }

  #plain(known: Map<string, { count: number; readonly token: number }>, key: string, value: string): number {
    const found = known.get(value);
    if (found !== undefined) {
      found.count++;
      return found.token;
    }
    const token = hash53(`${key}\u0000${value}`);
    // Names with ids in them: indexed all the same, but no longer offered for completion.
    if (known.size < VALUES_LIMIT * 4) {
      known.set(value, { count: 1, token });
      this.#remember(key, value);
    }
    return token;
  }

  #attribute(key: string, value: AttributeValue): number | undefined {
    if (value === null || (typeof value === "object" && value !== null)) return undefined;
    const entry = this.#key(key);
    const always = ALWAYS.has(key);
    if (entry.open && !always) return undefined;
    const text = typeof value === "string" ? value : String(value);
    if (text.length > VALUE_LENGTH) return undefined;
    const found = entry.values.get(text);
    if (found !== undefined) {
      found.count++;
      return found.token;
    }
    const token = hash53(`${key}\u0000${text}`);
    if (entry.values.size >= VALUES_LIMIT) {
      if (always) return token;
      entry.open = true;
      this.#remember(key, OPEN);
      return undefined;
    }
    entry.values.set(text, { count: 1, token });
    this.#remember(key, text);
    return token;
  }

  #key(key: string): Key {
    let entry = this.#keys.get(key);
    if (entry === undefined) {
      entry = { values: new Map(), open: false };
      if (this.#keys.size < KEYS_LIMIT) this.#keys.set(key, entry);
      else entry.open = true;
    }
    return entry;
  }

  #remember(key: string, value: string): void {
    this.#db.statement("INSERT OR IGNORE INTO word (key, value) VALUES (?, ?)").run(key, value);
  }
}

function ranked(known: ReadonlyMap<string, { readonly count: number }>, prefix: string, limit: number): string[] {
  return [...known]
    .filter(([value]) => value.startsWith(prefix))
    .sort(([a, { count: x }], [b, { count: y }]) => y - x || (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([value]) => value);
}

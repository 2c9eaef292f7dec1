/** The senders that the store has seen: each resource is kept once, and spans and log records refer to it by number. */
import { hash } from "node:crypto";
import type { Database } from "./database.ts";
import type { ResourceRecord } from "./traces.ts";
import { attributeText } from "./words.ts";

export class Resources {
  readonly #db: Database;
  readonly #byId = new Map<number, ResourceRecord>();
  readonly #byHash = new Map<string, number>();

  constructor(db: Database) {
    this.#db = db;
    this.reload();
  }

  /** The number of a resource; a new one is stored. To be called within a transaction. */
  idOf(resource: ResourceRecord): number {
    const body = JSON.stringify(resource);
    const digest = hash("sha256", body);
    const known = this.#byHash.get(digest);
    if (known !== undefined) return known;
    const { lastInsertRowid } = this.#db
      .statement(
        "INSERT INTO resource (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET body = excluded.body",
      )
      .run(digest, body);
    const id = Number(lastInsertRowid);
    this.#byId.set(id, resource);
    this.#byHash.set(digest, id);
    return id;
  }

  get(id: number): ResourceRecord | undefined {
    return this.#byId.get(id);
  }

  /** Reads the table: at the start, and after a transaction that was rolled back. */
  reload(): void {
    this.#byId.clear();
    this.#byHash.clear();
    for (const row of this.#db.statement("SELECT id, hash, body FROM resource").iterate()) {
      const { id, hash: digest, body } = row as { id: number; hash: string; body: string };
      this.#byId.set(id, JSON.parse(body) as ResourceRecord);
      this.#byHash.set(digest, id);
    }
  }

  /** Numbers of the resources that pass. */
  matching(passes: (resource: ResourceRecord) => boolean): number[] {
    return [...this.#byId].filter(([, resource]) => passes(resource)).map(([id]) => id);
  }

  /** Numbers of the resources with this attribute. */
  withAttribute(key: string, value: string): number[] {
    return this.matching(({ attributes }) => {
      const found = attributes[key];
      return found !== undefined && attributeText(found) === value;
    });
  }

  services(): string[] {
    return [...new Set([...this.#byId.values()].map(({ service }) => service))];
  }
}

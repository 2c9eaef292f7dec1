/** The series that the store knows: name, labels and source of each, by number. */
import type { Database } from "./database.ts";
import type { MetricInfo, MetricKind, MetricLabels } from "./metrics.ts";

/** The source that holds what is summed up over all workers. */
export const CLUSTER_SOURCE = "cluster";
/** Most series of the store; what comes beyond is rejected. */
const SERIES_LIMIT = 200_000;
/** Most values of a label that a metric's description lists. */
const VALUES_LIMIT = 200;

/** What makes a series. */
export interface SeriesDefinition {
  /** "cluster", "worker:<id>", or "otlp:<service>/<instance>". */
  readonly source: string;
  readonly name: string;
  readonly labels: MetricLabels;
  readonly kind: MetricKind;
  readonly unit: string;
  /** Upper bounds of a histogram's buckets; one more bucket takes what is larger. Empty for others. */
  readonly bounds: readonly number[];
}

/** A series with its number in the table. */
export interface Series extends SeriesDefinition {
  readonly id: number;
  lastMs: number;
}

/** Numbers that one point of a series has: a histogram's buckets and its sum, or one value. */
export function widthOf({ kind, bounds }: Pick<SeriesDefinition, "kind" | "bounds">): number {
  return kind === "histogram" ? bounds.length + 2 : 1;
}

function keyOf({ source, name, labels, bounds, kind }: SeriesDefinition): {
  readonly key: string;
  readonly text: string;
} {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  // Another kind or other buckets make another series of the same name.
  const text = JSON.stringify(kind === "histogram" ? [pairs, bounds] : [pairs, kind]);
  return { key: `${source}\u0000${name}\u0000${text}`, text };
}

export class MetricSeriesTable {
  readonly #db: Database;
  readonly #byKey = new Map<string, Series>();
  readonly #byName = new Map<string, Set<Series>>();

  constructor(db: Database) {
    this.#db = db;
    this.reload();
  }

  /** Reads the table: at the start, and after a transaction that was rolled back. */
  reload(): void {
    this.#byKey.clear();
    this.#byName.clear();
    for (const row of this.#db.statement("SELECT * FROM series").iterate()) {
      const { id, source, name, labels, kind, unit, bounds, last } = row as Record<string, string> & {
        id: number;
        last: number;
      };
      const [pairs] = JSON.parse(labels!) as [[string, string][]];
      this.#add({
        id,
        source: source!,
        name: name!,
        labels: Object.fromEntries(pairs),
        kind: kind as MetricKind,
        unit: unit!,
        bounds: JSON.parse(bounds!) as number[],
        lastMs: last,
      });
    }
  }

  /** The series, made if it is new; undefined when there are too many. Within a transaction. */
  find(definition: SeriesDefinition): Series | undefined {
    const { key, text } = keyOf(definition);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= SERIES_LIMIT) return undefined;
    const { source, name, labels, kind, unit, bounds } = definition;
    const { lastInsertRowid } = this.#db
      .statement("INSERT INTO series (source, name, labels, kind, unit, bounds, last) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(source, name, text, kind, unit, JSON.stringify(bounds), Date.now());
    const series = { id: Number(lastInsertRowid), source, name, labels, kind, unit, bounds, lastMs: Date.now() };
    this.#add(series);
    return series;
  }

  named(name: string): readonly Series[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  /** Forgets series that have had no point since a time, within a transaction. */
  prune(beforeMs: number): void {
    for (const [key, series] of this.#byKey) {
      if (series.lastMs >= beforeMs) continue;
      this.#db.statement("DELETE FROM series WHERE id = ?").run(series.id);
      this.#byKey.delete(key);
      this.#byName.get(series.name)?.delete(series);
    }
  }

  /** Stores when each series last had a point, within a transaction: for `prune` after a restart. */
  saveTimes(): void {
    const statement = this.#db.statement("UPDATE series SET last = ? WHERE id = ?");
    for (const { id, lastMs } of this.#byKey.values()) statement.run(Math.floor(lastMs), id);
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** The known metrics by name. */
  describe(): MetricInfo[] {
    const infos: MetricInfo[] = [];
    for (const [name, all] of [...this.#byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const labels = new Map<string, Set<string>>();
      let lastMs = 0;
      for (const series of all) {
        lastMs = Math.max(lastMs, series.lastMs);
        for (const [label, value] of Object.entries(series.labels)) {
          const values = labels.get(label) ?? new Set();
          labels.set(label, values);
          if (values.size < VALUES_LIMIT) values.add(value);
        }
      }
      const [first] = all;
      if (first === undefined) continue;
      const { kind, unit } = first;
      const sorted = Object.fromEntries([...labels].map(([label, values]) => [label, [...values].sort()]));
      infos.push({ name, kind, unit, labels: sorted, lastMs });
    }
    return infos;
  }

  #add(series: Series): void {
    this.#byKey.set(keyOf(series).key, series);
    const named = this.#byName.get(series.name) ?? new Set();
    this.#byName.set(series.name, named);
    named.add(series);
  }
}

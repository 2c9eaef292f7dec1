/**
 * Numbers of many workers in columns: of thousands, objects would be several times the bytes, and most of the work to read
 * them. A worker's numbers are put together when a page shows that worker.
 */
import type { BriefTick, Columns, Crowd, TierBrief } from "./wire.ts";

type Column = (number | null)[];

/** Puts the numbers of workers into columns. Rates keep three decimals. */
export function crowdOf(atMs: number, workers: Iterable<readonly [id: string, BriefTick]>): Crowd {
  const ids: string[] = [];
  const ageMs: number[] = [];
  const families = { totals: {}, rates: {}, gauges: {} } as Record<
    "totals" | "rates" | "gauges",
    Record<string, Column>
  >;
  const tiers: Record<string, { limitBytes: Column; usedBytes: Column; pages: Column }> = {};
  const errors: Record<string, string> = {};
  const enter = (columns: Record<string, Column>, name: string, value: number) => {
    const column = columns[name] ?? [];
    columns[name] = column;
    while (column.length < ids.length - 1) column.push(null);
    column.push(value);
  };
  for (const [id, tick] of workers) {
    ids.push(id);
    ageMs.push(Math.round(atMs - tick.sampleMs));
    for (const name in tick.totals) enter(families.totals, name, tick.totals[name]!);
    for (const name in tick.rates) enter(families.rates, name, Math.round(tick.rates[name]! * 1000) / 1000);
    for (const name in tick.gauges) enter(families.gauges, name, tick.gauges[name]!);
    for (const { name, limitBytes, usedBytes, pages, error } of tick.tiers) {
      const tier = tiers[name] ?? { limitBytes: [], usedBytes: [], pages: [] };
      tiers[name] = tier;
      enter(tier as Record<string, Column>, "limitBytes", limitBytes);
      enter(tier as Record<string, Column>, "usedBytes", usedBytes);
      enter(tier as Record<string, Column>, "pages", pages);
      if (error !== undefined) errors[`${name} ${id}`] = error;
    }
  }
  return { atMs, ids, ageMs, ...families, tiers, errors };
}

/** The numbers of workers, by id. */
export interface WorkerNumbers {
  readonly ids: readonly string[];
  readonly get: (id: string) => BriefTick | undefined;
}

/** Reads a crowd; each worker's numbers are put together when they are asked for. */
export function readCrowd(crowd: Crowd): WorkerNumbers {
  const places = new Map(crowd.ids.map((id, place) => [id, place]));
  const rowOf = (columns: Crowd["totals"], place: number): Columns => {
    const row: Record<string, number> = {};
    for (const name in columns) {
      const value = columns[name]![place];
      if (value !== undefined && value !== null) row[name] = value;
    }
    return row;
  };
  return {
    ids: crowd.ids,
    get: (id) => {
      const place = places.get(id);
      if (place === undefined) return undefined;
      return {
        sampleMs: crowd.atMs - crowd.ageMs[place]!,
        totals: rowOf(crowd.totals, place),
        rates: rowOf(crowd.rates, place),
        gauges: rowOf(crowd.gauges, place),
        tiers: Object.entries(crowd.tiers).flatMap(([name, tier]): TierBrief[] => {
          const limitBytes = tier.limitBytes[place];
          if (limitBytes === undefined || limitBytes === null) return [];
          const error = crowd.errors[`${name} ${id}`];
          const { usedBytes, pages } = tier;
          return [
            { name, limitBytes, usedBytes: usedBytes[place] ?? 0, pages: pages[place] ?? 0, ...(error && { error }) },
          ];
        }),
      };
    },
  };
}

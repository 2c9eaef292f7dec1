/**
 * Plans of SQL workloads. A query becomes splits (runs of row groups that an engine's split size cuts), a split becomes the reads
 * of its footer and of the columns of each row group that the statistics leave; splits of one query are read side by side.
 */
import { RinglightError } from "@ringlight/core";
import type { DescriptionOf, Query } from "./description.ts";
import { ENGINES, type EngineProfile, footerReads, groupReads } from "./engines.ts";
import type { PlanOptions } from "./make-plan.ts";
import { columnRange, type RowGroup, type TableFile } from "./parquet-layout.ts";
import { get, type Lane, type Plan, type PlannedRequest, type Step, step } from "./plan.ts";
import { RandomStream } from "./random.ts";

type Sql = DescriptionOf<"sql">;

/** Makes the plan. @throws RL_BAD_REQUEST without the tables' files, or for a column that they lack */
export function sqlPlan(description: Sql, options: PlanOptions): Plan {
  const { tables } = options;
  if (tables === undefined || tables.length === 0) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${description.name} reads Parquet files; make them first (bench prepare)`,
    );
  }
  const profile = ENGINES[options.engine ?? description.engine];
  const users = options.users ?? description.users;
  for (const { table, columns } of description.queries) checkColumns(tables, table, columns);
  const lanes = Array.from(
    { length: users },
    (_, user): Lane => ({
      name: `user-${user}`,
      depth: description.splits,
      ahead: description.splits,
      steps: () => userSteps(description, options, tables, profile, user),
    }),
  );
  const objects = tables.map(({ key, sizeBytes }) => ({ key, sizeBytes }));
  return { objects, lanes, endless: false, inStep: false };
}

function checkColumns(tables: readonly TableFile[], table: string, columns: readonly string[]): void {
  const file = tables.find((candidate) => candidate.table === table);
  const known = file?.groups[0]?.chunks.map(({ column }) => column) ?? [];
  const unknown = columns.filter((column) => column !== "*" && !known.includes(column));
  if (file === undefined || unknown.length > 0) {
    throw new RinglightError("RL_BAD_REQUEST", `table ${table} has no column ${unknown.join(", ") || "at all"}`);
  }
}

function* userSteps(
  description: Sql,
  options: PlanOptions,
  tables: readonly TableFile[],
  profile: EngineProfile,
  user: number,
): Generator<Step> {
  const random = new RandomStream(options.seed, `${description.name}/user-${user}`);
  const { queries, pattern } = description;
  const rounds = options.epochs ?? description.rounds;
  let number = 0;
  for (let round = 0; round < rounds; round++) {
    // Users of a dashboard refresh it in orders of their own.
    const order = pattern === "dashboard" ? random.permutation(queries.length) : queries.keys();
    for (const at of order) {
      const query = queries[at]!;
      const reads = pattern === "scan" ? scanReads(query, tables, profile) : queryReads(query, tables, profile, random);
      for (const [split, requests] of reads.entries()) {
        const endsPart = split === reads.length - 1;
        // Splits of one query are side by side; the next query begins when this one is done: the number is its epoch.
        yield step(requests, {
          width: profile.parallelReads,
          epoch: number,
          part: query.name,
          endsPart,
          computeMs: endsPart ? description.thinkSeconds * 1000 : 0,
        });
      }
      number++;
    }
  }
}

/** Reads of each split of a query. */
function queryReads(
  query: Query,
  tables: readonly TableFile[],
  profile: EngineProfile,
  random: RandomStream,
): PlannedRequest[][] {
  const files = tables.filter(({ table }) => table === query.table);
  const bounds = query.where.map(({ column, from, to }) => {
    const shift = query.moving ? random.next() * (1 - (to - from)) - from : 0;
    const range = columnRange(files, column);
    const place = (share: number) => range && range[0] + (share + shift) * (range[1] - range[0]);
    return { column, from: place(from), to: place(to) };
  });
  const mayMatch = ({ chunks }: RowGroup) =>
    bounds.every(({ column, from, to }) => {
      const chunk = chunks.find((candidate) => candidate.column === column);
      if (chunk?.min === undefined || chunk.max === undefined || from === undefined || to === undefined) return true;
      return chunk.max >= from && chunk.min <= to;
    });
  return files.flatMap((file) =>
    splitsOf(file, profile.splitBytes).map((groups) => [
      ...footerReads(file, profile),
      ...groups.filter(mayMatch).flatMap((group) => groupReads(file, group, query.columns, profile)),
    ]),
  );
}

/** A row group belongs to the split in which it begins. */
function splitsOf(file: TableFile, splitBytes: number): RowGroup[][] {
  const splits = new Map<number, RowGroup[]>();
  for (const group of file.groups) {
    const begin = Math.min(...group.chunks.map(({ offset }) => offset));
    const split = Number.isFinite(splitBytes) ? Math.floor(begin / splitBytes) : 0;
    splits.set(split, [...(splits.get(split) ?? []), group]);
  }
  return [...splits.values()];
}

/** Files read from start to end, split by bytes. */
function scanReads(query: Query, tables: readonly TableFile[], profile: EngineProfile): PlannedRequest[][] {
  return tables
    .filter(({ table }) => table === query.table)
    .flatMap(({ key, sizeBytes }) => {
      const splits: PlannedRequest[][] = [];
      const splitBytes = Math.min(profile.splitBytes, sizeBytes);
      for (let begin = 0; begin < sizeBytes; begin += splitBytes) {
        const end = Math.min(sizeBytes, begin + splitBytes);
        const reads: PlannedRequest[] = [];
        for (let at = begin; at < end; at += profile.scanBytes) {
          reads.push(get(key, at, Math.min(profile.scanBytes, end - at)));
        }
        splits.push(reads);
      }
      return splits;
    });
}

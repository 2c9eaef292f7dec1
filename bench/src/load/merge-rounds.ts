/** Merges what several generators recorded of the same round: counts are added, histograms too, so quantiles stay true. */
import type { GeneratorFigures } from "./generator.ts";
import { TimeHistogram } from "./histogram.ts";
import type { EpochRecord, RoundRecord } from "./recorder.ts";

/** Figures of one operation of all generators. */
export interface MergedOperation {
  readonly requests: number;
  readonly bytes: number;
  readonly latency: TimeHistogram;
  readonly firstByte: TimeHistogram;
}

/** A round of all generators. */
export interface MergedRound {
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  readonly firstError: string;
  /** Of the generator that took longest. */
  readonly seconds: number;
  readonly latency: TimeHistogram;
  readonly operations: ReadonlyMap<string, MergedOperation>;
  readonly parts: ReadonlyMap<string, TimeHistogram>;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly epochs: readonly EpochRecord[];
  readonly generators: readonly GeneratorFigures[];
}

/** Merges. */
export function mergeRounds(
  records: readonly { readonly round: RoundRecord; readonly generator: GeneratorFigures }[],
): MergedRound {
  const latency = new TimeHistogram();
  const operations = new Map<string, { -readonly [Key in keyof MergedOperation]: MergedOperation[Key] }>();
  const parts = new Map<string, TimeHistogram>();
  const outcomes = new Map<string, number>();
  for (const { round } of records) {
    for (const [op, record] of Object.entries(round.operations)) {
      const decoded = TimeHistogram.decode(record.latency);
      latency.add(decoded);
      const merged = operations.get(op);
      if (merged === undefined) {
        const firstByte = new TimeHistogram();
        firstByte.add(TimeHistogram.decode(record.firstByte));
        const own = new TimeHistogram();
        own.add(decoded);
        operations.set(op, { requests: record.requests, bytes: record.bytes, latency: own, firstByte });
      } else {
        merged.requests += record.requests;
        merged.bytes += record.bytes;
        merged.latency.add(decoded);
        merged.firstByte.add(TimeHistogram.decode(record.firstByte));
      }
    }
    for (const [name, encoded] of Object.entries(round.parts)) {
      const merged = parts.get(name) ?? new TimeHistogram();
      merged.add(TimeHistogram.decode(encoded));
      parts.set(name, merged);
    }
    for (const [name, count] of Object.entries(round.outcomes)) outcomes.set(name, (outcomes.get(name) ?? 0) + count);
  }
  const rounds = records.map(({ round }) => round);
  const sum = (value: (round: RoundRecord) => number) => rounds.reduce((total, round) => total + value(round), 0);
  return {
    requests: sum((round) => round.requests),
    bytes: sum((round) => round.bytes),
    errors: sum((round) => round.errors),
    firstError: rounds.find((round) => round.firstError !== "")?.firstError ?? "",
    seconds: Math.max(0, ...rounds.map((round) => round.seconds)),
    latency,
    operations,
    parts,
    outcomes,
    epochs: rounds.flatMap((round) => round.epochs),
    generators: records.map(({ generator }) => generator),
  };
}

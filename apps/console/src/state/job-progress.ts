/** A job's progress as its spans tell it: each task that a worker did is a segment of the bar. */
import type { Job } from "@ringlight/proto";
import type { SpanRecord } from "@ringlight/trace-store";

/** One task. */
export interface TaskSegment {
  readonly id: string;
  readonly worker: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly units: number;
  /** Units that were not done, refused ones among them. */
  readonly notDone: number;
  readonly bytes: number;
  readonly failed: boolean;
}

/** Tasks by the time at which they ended. Runs of a job that another scheduler took over are in other traces. */
export function taskSegments(spans: readonly SpanRecord[]): TaskSegment[] {
  return (
    spans
      .filter(({ name }) => name.startsWith("ringlight.task "))
      .map(({ spanId, startMs, durationMs, attributes, status }) => {
        const number = (key: string) => {
          const value = attributes[key];
          return typeof value === "number" ? value : Number(value ?? 0) || 0;
        };
        return {
          id: spanId,
          worker: String(attributes["ringlight.worker"] ?? ""),
          startMs,
          endMs: startMs + durationMs,
          units: number("ringlight.task.units"),
          notDone: number("ringlight.task.failed") + number("ringlight.task.refused"),
          bytes: number("ringlight.bytes"),
          failed: status === "error",
        };
      })
      // A worker is asked for its part of a pass even where it has none.
      .filter(({ units, failed }) => units > 0 || failed)
      .sort((a, b) => a.endMs - b.endMs)
  );
}

/** A running job whose last task ended so long ago is marked. */
const STALLED_MS = 20_000;

/** For how long nothing has moved, if that is long; undefined while it moves. */
export function stalledFor(job: Job, tasks: readonly TaskSegment[], nowMs: number): number | undefined {
  if (job.state !== "running" || job.bytesPerSecond > 0 || job.objectsPerSecond > 0) return undefined;
  const sinceMs = nowMs - Math.max(job.startedUnixMs, ...tasks.map(({ endMs }) => endMs));
  return sinceMs >= STALLED_MS ? sinceMs : undefined;
}

/** What a job has done of all that is known to be there, 0 to 1, by bytes or, where it moves none, by objects. */
export function doneShare(job: Job): number {
  const parts = [job.loaded, job.cached, job.refused, job.failed];
  const sum = (of: "bytes" | "objects") => parts.reduce((total, part) => total + (part?.[of] ?? 0), 0);
  const of = (job.listed?.bytes ?? 0) > 0 ? "bytes" : "objects";
  const whole = job.listed?.[of] ?? 0;
  if (job.state === "complete") return 1;
  return whole > 0 ? Math.min(1, sum(of) / whole) : 0;
}

/** Slices of the recent past from whose rates the spread is taken. */
const SLICES = 8;
const FEWEST_TASKS = 3;

/** How long the rest will take, and between which bounds: a standard error of the rate of the last tasks each way. */
export interface Remaining {
  readonly ms: number;
  readonly fromMs: number;
  /** Infinity where the rate is not told from none. */
  readonly toMs: number;
}

/** Estimates the rest by the units that tasks did in the last slices of time. Undefined while too few have ended, or the listing goes on. */
export function remaining(job: Job, tasks: readonly TaskSegment[], nowMs: number): Remaining | undefined {
  if (job.state !== "running" || !job.listingEnded || tasks.length < FEWEST_TASKS) return undefined;
  const listed = job.listed?.objects ?? 0;
  const done = [job.loaded, job.cached, job.refused, job.failed].reduce((sum, part) => sum + (part?.objects ?? 0), 0);
  const left = Math.max(0, listed - done);
  const recent = tasks.slice(-64);
  const fromMs = recent[0]!.startMs;
  const sliceMs = (nowMs - fromMs) / SLICES;
  if (sliceMs <= 0) return undefined;
  const rates = new Array<number>(SLICES).fill(0);
  for (const { startMs, endMs, units } of recent) {
    // A task's units are spread over its time.
    const tookMs = Math.max(1, endMs - startMs);
    for (let slice = 0; slice < SLICES; slice++) {
      const begin = fromMs + slice * sliceMs;
      const overlap = Math.min(endMs, begin + sliceMs) - Math.max(startMs, begin);
      if (overlap > 0) rates[slice]! += (units * overlap) / tookMs / sliceMs;
    }
  }
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / SLICES;
  if (mean <= 0) return undefined;
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / (SLICES - 1);
  const error = Math.sqrt(variance / SLICES);
  return {
    ms: left / mean,
    fromMs: left / (mean + error),
    toMs: mean > error ? left / (mean - error) : Number.POSITIVE_INFINITY,
  };
}

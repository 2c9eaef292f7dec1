/** Jobs as metrics: the numbers of the jobs that run, as every door tells them, and sums of those that ended here. */
import type { Job } from "@ringlight/proto";
import {
  acceptsOpenMetrics,
  METRICS,
  MetricRegistry,
  OPENMETRICS_CONTENT_TYPE,
  PROMETHEUS_CONTENT_TYPE,
  renderPrometheus,
  type Sample,
} from "@ringlight/telemetry";
import type { JobEngine, JobView } from "./job-engine.ts";
import { jobToMessage } from "./job-messages.ts";

const OUTCOMES = ["listed", "loaded", "cached", "refused", "failed"] as const;

/** The scheduler's metrics. */
export class JobMetrics {
  readonly registry = new MetricRegistry();

  constructor(engine: Pick<JobEngine, "leading" | "list" | "onEnded">) {
    const jobs = () => (engine.leading ? engine.list() : []);
    const running = () => jobs().flatMap((view) => (view.run === undefined ? [] : [jobToMessage(view)]));
    this.registry.gauge(METRICS.jobs, () => counted(jobs()));
    this.registry.gauge(METRICS.jobObjects, () => summed(running(), (job, outcome) => job[outcome]?.objects ?? 0));
    this.registry.gauge(METRICS.jobSize, () => [
      ...summed(running(), (job, outcome) => job[outcome]?.bytes ?? 0),
      ...read(running()),
    ]);
    const ended = this.registry.counter(METRICS.jobsEnded);
    const objects = this.registry.counter(METRICS.jobObjectsEnded);
    const io = this.registry.counter(METRICS.jobIo);
    engine.onEnded = (record) => {
      const job = jobToMessage({ record, run: undefined });
      const { kind } = record.spec;
      ended.with({ kind, state: record.state }).add(1);
      for (const outcome of OUTCOMES) {
        objects.with({ kind, outcome }).add(job[outcome]?.objects ?? 0);
        io.with({ kind, outcome }).add(job[outcome]?.bytes ?? 0);
      }
      io.with({ kind, outcome: "read" }).add(job.readBytes);
    };
  }

  prometheus(accept: string): { readonly contentType: string; readonly body: string } {
    const openMetrics = acceptsOpenMetrics(accept);
    return {
      contentType: openMetrics ? OPENMETRICS_CONTENT_TYPE : PROMETHEUS_CONTENT_TYPE,
      body: renderPrometheus(this.registry, { openMetrics }),
    };
  }
}

function counted(views: readonly JobView[]): Sample<"kind" | "state">[] {
  const counts = new Map<string, { kind: string; state: string; value: number }>();
  for (const { record } of views) {
    const { state } = record;
    const { kind } = record.spec;
    const known = counts.get(`${kind} ${state}`) ?? { kind, state, value: 0 };
    counts.set(`${kind} ${state}`, { ...known, value: known.value + 1 });
  }
  return [...counts.values()].map(({ value, ...labels }) => ({ labels, value }));
}

function summed(
  jobs: readonly Job[],
  sumOf: (job: Job, outcome: (typeof OUTCOMES)[number]) => number,
): Sample<"kind" | "outcome">[] {
  const kinds = [...new Set(jobs.map(({ spec }) => spec?.kind ?? ""))];
  return kinds.flatMap((kind) =>
    OUTCOMES.map((outcome) => {
      const value = jobs.filter(({ spec }) => spec?.kind === kind).reduce((sum, job) => sum + sumOf(job, outcome), 0);
      return { labels: { kind, outcome }, value };
    }),
  );
}

function read(jobs: readonly Job[]): Sample<"kind" | "outcome">[] {
  const kinds = [...new Set(jobs.map(({ spec }) => spec?.kind ?? ""))];
  return kinds.map((kind) => {
    const ofKind = jobs.filter(({ spec }) => spec?.kind === kind);
    return { labels: { kind, outcome: "read" }, value: ofKind.reduce((sum, job) => sum + job.readBytes, 0) };
  });
}

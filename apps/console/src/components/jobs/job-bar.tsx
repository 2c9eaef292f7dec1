"use client";
/** A job's bar: a segment for each task that ended, by its size; what is left; where nothing moves, that it stalls. */
import type { Job } from "@ringlight/proto";
import { formatAge, formatCount, formatLatency, formatPercent, formatSize } from "@ringlight/ui";
import { doneShare, type TaskSegment } from "../../state/job-progress.ts";

/** Segments drawn at most; a job with more tasks has several in one. */
const SEGMENTS = 240;

interface Segment {
  readonly key: string;
  readonly units: number;
  readonly notDone: number;
  readonly tasks: readonly TaskSegment[];
}

/** Neighbours are put together until the segments are few enough to be drawn. */
function gathered(tasks: readonly TaskSegment[]): Segment[] {
  const each = Math.ceil(tasks.length / SEGMENTS) || 1;
  const segments: Segment[] = [];
  for (let at = 0; at < tasks.length; at += each) {
    const some = tasks.slice(at, at + each);
    segments.push({
      key: some[0]!.id,
      units: some.reduce((sum, { units }) => sum + units, 0),
      notDone: some.reduce((sum, { notDone, failed, units }) => sum + (failed ? units : notDone), 0),
      tasks: some,
    });
  }
  return segments;
}

/** The bar of a job, in words too. */
export function JobBar({
  job,
  tasks,
  colours,
  stalledMs,
  tall = false,
}: {
  job: Job;
  tasks: readonly TaskSegment[];
  colours: ReadonlyMap<string, string>;
  stalledMs?: number | undefined;
  tall?: boolean;
}) {
  const share = doneShare(job);
  const segments = gathered(tasks);
  const units = segments.reduce((sum, segment) => sum + segment.units, 0);
  const words = `${formatPercent(share)} done${tasks.length > 0 ? `, in ${formatCount(tasks.length)} tasks` : ""}${
    stalledMs === undefined ? "" : `, stalled for ${formatAge(stalledMs)}`
  }`;
  return (
    <div
      role="progressbar"
      aria-label={`Progress of ${job.id}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      aria-valuetext={words}
      data-testid="job-bar"
      data-share={share}
      data-segments={tasks.length}
      data-stalled={stalledMs !== undefined}
      className={`relative flex w-full overflow-hidden rounded bg-raised ring-1 ring-line ring-inset ${tall ? "h-6" : "h-2.5"}`}
    >
      {segments.length === 0 && share > 0 ? (
        <div style={{ width: `${share * 100}%`, background: "var(--rl-accent)" }} />
      ) : null}
      {segments.map(({ key, units: size, notDone, tasks: some }) => {
        const first = some[0]!;
        return (
          <div
            key={key}
            className="h-full border-r border-surface/60"
            style={{
              width: `${(units > 0 ? size / units : 1 / segments.length) * share * 100}%`,
              background: notDone > 0 ? "var(--rl-bad)" : (colours.get(first.worker) ?? "var(--rl-accent)"),
              opacity: notDone > 0 ? 1 : 0.85,
            }}
            title={`${some.length === 1 ? `Task at ${first.worker}` : `${some.length} tasks`}: ${formatCount(size)} objects or segments, ${formatSize(
              some.reduce((sum, { bytes }) => sum + bytes, 0),
            )} read${notDone > 0 ? `, ${formatCount(notDone)} not done` : ""}, ${formatLatency(
              (some.at(-1)!.endMs - first.startMs) / 1000,
            )}`}
          />
        );
      })}
      {stalledMs === undefined ? null : (
        <div
          className="h-full flex-1"
          style={{
            background:
              "repeating-linear-gradient(135deg, color-mix(in srgb, var(--rl-warn) 45%, transparent) 0 6px, transparent 6px 12px)",
          }}
        />
      )}
    </div>
  );
}

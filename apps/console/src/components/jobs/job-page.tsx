"use client";
import {
  CopyCommand,
  DataAge,
  DataTable,
  EmptyState,
  ErrorState,
  formatAge,
  formatByteRate,
  formatCount,
  formatDuration,
  formatMoment,
  formatPercent,
  formatPlural,
  formatRate,
  formatSize,
  Icon,
  LoadingState,
  NOTHING,
  Panel,
  StaleNote,
  StatTile,
  Swatch,
  workerColours,
} from "@ringlight/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useMemo } from "react";
import { getJson, sendJson } from "../../state/fetch-json.ts";
import {
  doneShare,
  type Remaining,
  remaining,
  stalledFor,
  type TaskSegment,
  taskSegments,
} from "../../state/job-progress.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import type { ErrorBody } from "../../wire.ts";
import type { JobAction, JobView } from "../../wire-jobs.ts";
import type { TraceView } from "../../wire-telemetry.ts";
import { PageHeader, useTitle } from "../page-header.tsx";
import { JobBar } from "./job-bar.tsx";
import { isDone, JobState, jobSubject, notDone } from "./job-state.tsx";

const EVERY_MS = 1_000;
const SPANS = 10_000;
const TASKS_SHOWN = 200;
const ENDED: readonly string[] = ["complete", "partial", "failed", "stopped"];

/** One job: its bar of tasks, how fast it goes and how long it will take, and what it could not do. */
export function JobPage({ id }: { id: string }) {
  const { snapshot } = useCluster();
  const { paused, skewMs } = useLive();
  const clock = useNow(1000);
  const router = useRouter();
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const query = useQuery<JobView, ErrorBody>({
    queryKey: ["job", id],
    queryFn: ({ signal }) => getJson(`/api/jobs/${encodeURIComponent(id)}`, signal),
    refetchInterval: paused ? false : EVERY_MS,
  });
  const job = query.data?.job;
  const ended = job !== undefined && ENDED.includes(job.state);
  const traceId = job?.traceId ?? "";
  const trace = useQuery<TraceView, ErrorBody>({
    queryKey: ["job-trace", traceId],
    queryFn: ({ signal }) => getJson(`/api/traces/${traceId}?limit=${SPANS}`, signal),
    enabled: traceId !== "",
    // Spans of the last tasks come a little after the job's end.
    refetchInterval: (latest) => {
      const rooted = latest.state.data?.spans.some(({ name }) => name.startsWith("ringlight.job ")) ?? false;
      return paused || (ended && rooted) ? false : EVERY_MS;
    },
    retry: false,
  });
  const tasks = useMemo(() => taskSegments(trace.data?.spans ?? []), [trace.data]);
  const change = useMutation<{ id: string }, ErrorBody, JobAction>({
    mutationFn: (action) => sendJson("POST", `/api/jobs/${encodeURIComponent(id)}`, { action }),
    onSuccess: (answer, action) => {
      if (action === "retry") router.push(`/jobs/${encodeURIComponent(answer.id)}`);
      else void query.refetch();
    },
  });
  useTitle(job ? jobSubject(job) : id);
  const now = clock === undefined ? undefined : clock + skewMs();
  const age = clock === undefined || query.dataUpdatedAt === 0 ? undefined : clock - query.dataUpdatedAt;
  const stalled = job && now !== undefined ? stalledFor(job, tasks, now) : undefined;
  const rest = job && now !== undefined ? remaining(job, tasks, now) : undefined;
  return (
    <>
      <PageHeader title={job ? jobSubject(job) : "Job"} lead={<span className="font-mono text-xs">{id}</span>}>
        {query.error && job && age !== undefined ? (
          <StaleNote ageMs={age} why="No scheduler answers" />
        ) : (
          <DataAge ageMs={age} />
        )}
      </PageHeader>
      {query.error && !job ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !job || !query.data ? (
        <LoadingState what="the job" rows={8} />
      ) : (
        <div className="space-y-4" data-testid="job" data-job-state={job.state}>
          <Panel
            title="Progress"
            hint={`${formatPlural(tasks.length, "task")}, from the job's spans`}
            actions={
              job.traceId ? (
                <Link className="rl-link text-xs" href={`/traces/${job.traceId}`}>
                  Open its trace
                </Link>
              ) : null
            }
          >
            <div className="space-y-3">
              <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-[13px]">
                <JobState state={job.state} />
                {job.reason ? (
                  <span className="text-muted">
                    {job.reasonCode ? <code className="mr-1">{job.reasonCode}</code> : null}
                    {job.reason}
                  </span>
                ) : null}
                {stalled === undefined ? null : (
                  <span className="inline-flex items-center gap-1 font-medium text-warn" data-testid="stalled">
                    <Icon name="warning" size={14} />
                    stalled: no task has ended for {formatAge(stalled)}
                  </span>
                )}
                <span className="ml-auto text-xl font-semibold tabular-nums">{formatPercent(doneShare(job))}</span>
              </p>
              <JobBar job={job} tasks={tasks} colours={colours} stalledMs={stalled} tall />
              <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
                {[...new Set(tasks.map(({ worker }) => worker))].sort().map((worker) => (
                  <li key={worker} className="inline-flex items-center gap-1.5">
                    <Swatch colour={colours.get(worker) ?? "var(--rl-accent)"} />
                    {worker}
                  </li>
                ))}
                {tasks.some((task) => task.notDone > 0 || task.failed) ? (
                  <li className="inline-flex items-center gap-1.5">
                    <Swatch colour="var(--rl-bad)" />
                    with objects that were not done
                  </li>
                ) : null}
              </ul>
              {trace.error && tasks.length === 0 ? (
                <p className="text-xs text-subtle">
                  No span of the job has come yet; the bar shows what the scheduler counts.
                </p>
              ) : null}
            </div>
          </Panel>
          <Numbers view={query.data} rest={rest} now={now} />
          <Actions job={query.data} change={(action) => change.mutate(action)} busy={change.isPending} />
          {change.error ? <ErrorState error={change.error} /> : null}
          <Failures view={query.data} />
          <Tasks tasks={tasks} colours={colours} />
        </div>
      )}
    </>
  );
}

function restWords(rest: Remaining | undefined): string {
  if (rest === undefined) return "not known yet";
  if (!Number.isFinite(rest.toMs)) return `at least ${formatDuration(rest.fromMs)}`;
  return `${formatDuration(rest.fromMs)} to ${formatDuration(rest.toMs)}`;
}

function Numbers({ view, rest, now }: { view: JobView; rest: Remaining | undefined; now: number | undefined }) {
  const { job } = view;
  const running = job.state === "running";
  return (
    <div className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
      <StatTile
        label="Objects"
        value={`${formatCount(isDone(job))} of ${formatCount(job.listed?.objects ?? 0)}`}
        detail={job.listingEnded ? "all are listed" : "still listing"}
        testId="job-objects"
        exact={isDone(job)}
      />
      <StatTile
        label="Bytes"
        value={formatSize((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0))}
        detail={`${formatSize(job.cached?.bytes ?? 0)} were cached before`}
      />
      <StatTile
        label="Rate"
        value={running ? formatByteRate(job.bytesPerSecond) : NOTHING}
        detail={
          running ? `${formatRate(job.objectsPerSecond)} objects` : `${formatSize(job.readBytes)} read from stores`
        }
      />
      <StatTile
        label="Remaining"
        value={running ? (rest ? formatDuration(rest.ms) : NOTHING) : NOTHING}
        detail={running ? restWords(rest) : "it has ended or waits"}
        testId="job-remaining"
      />
      <StatTile
        label="Not done"
        value={formatCount(notDone(job))}
        tone={notDone(job) > 0 ? "bad" : "plain"}
        detail={`${formatCount(job.failed?.objects ?? 0)} failed, ${formatCount(job.refused?.objects ?? 0)} not kept`}
        testId="job-not-done"
        exact={notDone(job)}
      />
      <StatTile
        label="Ran for"
        value={formatDuration(job.runningMs)}
        detail={
          job.takeovers > 0
            ? `taken over ${job.takeovers} times`
            : now === undefined
              ? NOTHING
              : `submitted ${formatAge(now - job.submittedUnixMs)} ago`
        }
      />
    </div>
  );
}

function Actions({ job: { job }, change, busy }: { job: JobView; change: (action: JobAction) => void; busy: boolean }) {
  const ended = ENDED.includes(job.state);
  const offers: readonly [JobAction, string, boolean][] = [
    ["pause", "Pause", job.state === "running" || job.state === "queued"],
    ["resume", "Resume", job.state === "paused"],
    ["stop", "Stop", !ended],
    ["retry", "Retry what failed", ended && notDone(job) > 0],
  ];
  return (
    <Panel title="Actions" hint="and the commands that do the same">
      <ul className="space-y-2">
        {offers
          .filter(([, , possible]) => possible)
          .map(([action, label]) => (
            <li key={action} className="flex flex-wrap items-center gap-3">
              <button
                type="button"
                className={`rl-button min-w-24 justify-center ${action === "stop" ? "rl-button-danger" : ""}`}
                disabled={busy}
                onClick={() => change(action)}
              >
                {label}
              </button>
              <CopyCommand command={`ringlight job ${action} ${job.id}`} />
            </li>
          ))}
        <li className="flex flex-wrap items-center gap-3">
          <CopyCommand command={`ringlight job ${ended ? "show" : "watch"} ${job.id}`} />
          {notDone(job) > 0 ? <CopyCommand command={`ringlight job failed ${job.id}`} /> : null}
        </li>
      </ul>
    </Panel>
  );
}

function Failures({ view }: { view: JobView }) {
  if (view.failedTotal === 0) return null;
  return (
    <Panel
      title="What was not done"
      hint={
        view.failed.length < view.failedTotal
          ? `the first ${view.failed.length} of ${formatCount(view.failedTotal)}`
          : formatCount(view.failedTotal)
      }
      flush
    >
      <DataTable
        caption="Objects that the job could not do, and why"
        maxHeight={320}
        rows={view.failed}
        rowKey={({ path, atUnixMs }) => `${path} ${atUnixMs}`}
        columns={[
          {
            id: "path",
            title: "Path",
            cell: ({ path }) => (
              <Link className="rl-link font-mono text-xs break-all" href={`/explain?${new URLSearchParams({ path })}`}>
                {path}
              </Link>
            ),
          },
          { id: "code", title: "Code", cell: ({ code }) => <code className="text-xs text-bad">{code}</code> },
          { id: "why", title: "Why", cell: ({ message }) => <span className="text-muted">{message}</span> },
          { id: "worker", title: "Worker", cell: ({ workerId }) => workerId || NOTHING },
          { id: "at", title: "When", numeric: true, cell: ({ atUnixMs }) => formatMoment(atUnixMs) },
        ]}
      />
    </Panel>
  );
}

function Tasks({ tasks, colours }: { tasks: readonly TaskSegment[]; colours: ReadonlyMap<string, string> }) {
  const rows = [...tasks].reverse().slice(0, TASKS_SHOWN);
  return (
    <Panel
      title="Tasks"
      hint={
        tasks.length > TASKS_SHOWN
          ? `the last ${TASKS_SHOWN} of ${formatCount(tasks.length)}`
          : "the last that ended first"
      }
      flush
    >
      {rows.length === 0 ? (
        <EmptyState title="No task has ended yet" />
      ) : (
        <DataTable
          caption="Tasks of the job, the last that ended first"
          maxHeight={320}
          rows={rows}
          rowKey={({ id }) => id}
          columns={[
            {
              id: "worker",
              title: "Worker",
              cell: ({ worker }) => (
                <span className="inline-flex items-center gap-2">
                  <Swatch colour={colours.get(worker) ?? "var(--rl-accent)"} />
                  {worker}
                </span>
              ),
            },
            {
              id: "ended",
              title: "Ended",
              cell: ({ endMs }) => <span className="tabular-nums">{formatMoment(endMs)}</span>,
            },
            { id: "units", title: "Objects or segments", numeric: true, cell: ({ units }) => formatCount(units) },
            {
              id: "not-done",
              title: "Not done",
              numeric: true,
              cell: (task) => formatCount(task.failed ? task.units : task.notDone),
            },
            { id: "bytes", title: "Read", numeric: true, cell: ({ bytes }) => formatSize(bytes) },
            { id: "took", title: "Took", numeric: true, cell: ({ startMs, endMs }) => formatDuration(endMs - startMs) },
          ]}
        />
      )}
    </Panel>
  );
}

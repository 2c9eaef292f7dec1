"use client";
import {
  CopyCommand,
  DataAge,
  DataTable,
  EmptyState,
  ErrorState,
  formatByteRate,
  formatCount,
  formatMoment,
  formatPercent,
  formatSize,
  LoadingState,
  NOTHING,
  Panel,
  StaleNote,
  workerColours,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useMemo } from "react";
import { getJson } from "../../state/fetch-json.ts";
import { doneShare } from "../../state/job-progress.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { useUrlSet } from "../../state/url-state.ts";
import type { ErrorBody } from "../../wire.ts";
import type { JobsView } from "../../wire-jobs.ts";
import { PageHeader } from "../page-header.tsx";
import { JobBar } from "./job-bar.tsx";
import { isDone, JobState, jobSubject, notDone } from "./job-state.tsx";

const EVERY_MS = 1_000;
const STATES = ["running", "queued", "paused", "complete", "partial", "failed", "stopped"] as const;

/** All jobs, newest first, by state. */
export function JobsPage() {
  const { snapshot } = useCluster();
  const { paused } = useLive();
  const now = useNow(1000);
  const [states, toggle] = useUrlSet("state");
  const chosen = [...states].sort().join(",");
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const query = useQuery<JobsView, ErrorBody>({
    queryKey: ["jobs", chosen],
    queryFn: ({ signal }) => getJson(`/api/jobs?${new URLSearchParams(chosen ? { state: chosen } : {})}`, signal),
    placeholderData: (before) => before,
    refetchInterval: paused ? false : EVERY_MS,
  });
  const jobs = query.data?.jobs;
  const age = now === undefined || query.dataUpdatedAt === 0 ? undefined : now - query.dataUpdatedAt;
  return (
    <>
      <PageHeader title="Jobs" lead="Loads and other work that goes on without a reader" />
      <fieldset className="mb-3 flex flex-wrap gap-1.5">
        <legend className="sr-only">States shown</legend>
        {STATES.map((state) => (
          <button
            key={state}
            type="button"
            className={`rl-button ${states.has(state) ? "rl-button-primary" : ""}`}
            aria-pressed={states.has(state)}
            onClick={() => toggle(state)}
          >
            {state}
          </button>
        ))}
      </fieldset>
      <Panel
        title={jobs ? `${formatCount(jobs.length)} ${jobs.length === 1 ? "job" : "jobs"}` : "Jobs"}
        hint={chosen === "" ? "newest first" : `only ${chosen.replaceAll(",", ", ")}`}
        actions={
          query.error && jobs && age !== undefined ? (
            <StaleNote ageMs={age} why="No scheduler answers" />
          ) : (
            <DataAge ageMs={age} />
          )
        }
        flush
      >
        {query.error && !jobs ? (
          <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
        ) : !jobs ? (
          <LoadingState what="the jobs" rows={5} />
        ) : jobs.length === 0 ? (
          <EmptyState
            title={chosen === "" ? "There are no jobs" : `No job is ${[...states].join(" or ")}`}
            command="ringlight load /<mount>/<folder>"
          >
            A job loads, frees, checks or copies what lies below a path; it is shown here from then on.
          </EmptyState>
        ) : (
          <DataTable
            caption="Jobs, newest first"
            rows={jobs}
            rowKey={({ id }) => id}
            rowProps={({ id }) => ({ "data-job": id })}
            columns={[
              {
                id: "job",
                title: "Job",
                cell: (job) => (
                  <span className="block min-w-40">
                    <Link className="rl-link font-medium break-all" href={`/jobs/${encodeURIComponent(job.id)}`}>
                      {jobSubject(job)}
                    </Link>
                    <span className="block font-mono text-[11px] text-subtle">{job.id}</span>
                  </span>
                ),
              },
              { id: "state", title: "State", cell: ({ state }) => <JobState state={state} /> },
              {
                id: "progress",
                title: "Progress",
                className: "min-w-40 w-1/4",
                cell: (job) => (
                  <span className="flex items-center gap-2">
                    <JobBar job={job} tasks={[]} colours={colours} />
                    <span className="w-14 text-right text-xs tabular-nums">{formatPercent(doneShare(job), 0)}</span>
                  </span>
                ),
              },
              {
                id: "objects",
                title: "Objects",
                numeric: true,
                cell: (job) =>
                  `${formatCount(isDone(job))} of ${formatCount(job.listed?.objects ?? 0)}${job.listingEnded ? "" : "+"}`,
              },
              {
                id: "failed",
                title: "Not done",
                numeric: true,
                cell: (job) =>
                  notDone(job) > 0 ? <span className="font-medium text-bad">{formatCount(notDone(job))}</span> : "0",
              },
              {
                id: "bytes",
                title: "Bytes",
                numeric: true,
                cell: (job) => formatSize((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0)),
              },
              {
                id: "rate",
                title: "Rate",
                numeric: true,
                cell: (job) => (job.state === "running" ? formatByteRate(job.bytesPerSecond) : NOTHING),
              },
              { id: "submitted", title: "Submitted", numeric: true, cell: (job) => formatMoment(job.submittedUnixMs) },
            ]}
          />
        )}
      </Panel>
      <div className="mt-3">
        <CopyCommand command={`ringlight job ls${[...states].map((state) => ` --state ${state}`).join("")}`} />
      </div>
    </>
  );
}

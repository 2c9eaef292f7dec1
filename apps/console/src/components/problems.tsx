"use client";
import { Badge, CopyCommand, formatAge, formatCount, Icon, Panel } from "@ringlight/ui";
import Link from "next/link";
import { Fragment, useMemo } from "react";
import { useLive, useNow } from "../state/live.tsx";
import { kindsOf } from "../state/problem-kinds.ts";
import { useUrlSet } from "../state/url-state.ts";
import type { ClusterSnapshot, Problem } from "../wire.ts";

/** Problems of one kind that are shown until more are asked for: of a thousand alike the first ones say what is wrong. */
const ALIKE = 3;
/** And then. */
const MOST_ALIKE = 50;

/** What needs attention, worst first; or in one line that nothing does. */
export function Problems({ snapshot }: { snapshot: ClusterSnapshot }) {
  const { problems } = snapshot;
  const [open, toggle] = useUrlSet("problems");
  const { skewMs } = useLive();
  const now = useNow(1000);
  const kinds = useMemo(() => kindsOf(problems), [problems]);
  if (problems.length === 0) return <Healthy snapshot={snapshot} />;
  const clockMs = now === undefined ? undefined : now + skewMs();
  return (
    <Panel
      title="Needs attention"
      hint={problems.length === 1 ? "1 problem" : `${formatCount(problems.length)} problems`}
      flush
      className="mb-4"
    >
      <ul className="divide-y divide-line border-t border-line" data-testid="problems">
        {kinds.map((alike) => {
          const [first] = alike;
          const kind = first!.kind;
          const shown = alike.slice(0, open.has(kind) ? MOST_ALIKE : ALIKE);
          return (
            <Fragment key={`${kind} ${first!.subject}`}>
              {shown.map((problem) => (
                <ProblemRow key={problem.subject} problem={problem} clockMs={clockMs} />
              ))}
              {alike.length > ALIKE ? (
                <li className="flex items-center gap-3 px-4 py-2 pl-11 text-xs text-subtle tabular-nums">
                  {alike.length > shown.length ? (
                    <span data-testid={`alike-${kind}`}>
                      {formatCount(alike.length - shown.length)} more of this kind
                    </span>
                  ) : null}
                  <button
                    type="button"
                    className="rl-button"
                    aria-expanded={open.has(kind)}
                    onClick={() => toggle(kind)}
                  >
                    {open.has(kind)
                      ? `Show the first ${ALIKE}`
                      : `Show ${formatCount(Math.min(MOST_ALIKE, alike.length) - ALIKE)} more`}
                  </button>
                </li>
              ) : null}
            </Fragment>
          );
        })}
      </ul>
    </Panel>
  );
}

function ProblemRow({ problem, clockMs }: { problem: Problem; clockMs: number | undefined }) {
  const bad = problem.severity === "critical";
  return (
    <li
      className="grid gap-x-6 gap-y-2 px-4 py-3 text-[13px] md:grid-cols-[minmax(0,1fr)_auto]"
      data-testid={`problem-${problem.kind}`}
    >
      <div className="flex min-w-0 gap-3">
        <Icon name={bad ? "error" : "warning"} size={18} className={`mt-px ${bad ? "text-bad" : "text-warn"}`} />
        <div className="min-w-0 space-y-0.5">
          <p className="font-medium">
            <span className="sr-only">{bad ? "Critical: " : "Warning: "}</span>
            {problem.href ? (
              <Link className="rl-link" href={problem.href}>
                {problem.title}
              </Link>
            ) : (
              problem.title
            )}
            {problem.sinceMs !== undefined && clockMs !== undefined ? (
              <span className="ml-2 text-xs font-normal text-subtle tabular-nums">
                for {formatAge(clockMs - problem.sinceMs)}
              </span>
            ) : null}
          </p>
          <p className="break-words text-muted">{problem.cause}</p>
          <p className="break-words">
            <span className="text-subtle">Remedy: </span>
            {problem.remedy}
          </p>
        </div>
      </div>
      {problem.command ? (
        <div className="self-center max-md:pl-8">
          <CopyCommand command={problem.command} />
        </div>
      ) : null}
    </li>
  );
}

function Healthy({ snapshot }: { snapshot: ClusterSnapshot }) {
  const live = snapshot.workers.filter((worker) => worker.state === "live").length;
  const facts = [
    `${live} of ${snapshot.workers.length} workers live`,
    `epoch ${snapshot.epoch}`,
    "registry connected",
    snapshot.leader ? `${snapshot.leader} leads` : "no leader yet",
    snapshot.mounts.length === 1 ? "1 mount" : `${snapshot.mounts.length} mounts`,
  ];
  return (
    <section
      aria-label="Cluster health"
      data-testid="healthy"
      className="mb-4 flex flex-wrap items-center gap-x-4 gap-y-1 rounded-lg border border-line bg-surface px-4 py-2 text-[13px] shadow-card"
    >
      <Badge tone="ok">Healthy</Badge>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 text-muted tabular-nums">
        {facts.map((fact) => (
          <li key={fact}>{fact}</li>
        ))}
      </ul>
    </section>
  );
}

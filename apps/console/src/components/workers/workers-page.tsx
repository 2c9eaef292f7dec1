"use client";
import {
  CopyCommand,
  DataTable,
  EmptyState,
  ErrorState,
  formatAge,
  formatPercent,
  formatRate,
  formatShort,
  formatSize,
  LoadingState,
  NOTHING,
  Panel,
  PartialNote,
  Swatch,
  TierBar,
  workerColours,
} from "@ringlight/ui";
import Link from "next/link";
import { useMemo } from "react";
import * as column from "../../columns.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { useUrlState } from "../../state/url-state.ts";
import { useWorkerNumbers } from "../../state/worker-numbers.ts";
import type { BriefTick, WorkerView } from "../../wire.ts";
import { PageHeader } from "../page-header.tsx";
import { WorkerStateBadge } from "../worker-state.tsx";

/** Past so many members they are ranked, and can be searched. */
const CROWD = 60;

/** All members of the ring. */
export function WorkersPage() {
  const { snapshot, error, retry } = useCluster();
  const numbers = useWorkerNumbers();
  const { skewMs } = useLive();
  const now = useNow(1000);
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const [find, setFind] = useUrlState("find", "");
  const all = snapshot?.workers ?? [];
  const crowd = all.length > CROWD;
  const sought = find.trim();
  // Of many members those stand first that are not well.
  const ranked = crowd
    ? all
        .filter(({ id, hostname = "" }) => id.includes(sought) || hostname.includes(sought))
        .sort((a, b) => Number(a.state === "live") - Number(b.state === "live"))
    : all;
  const live = all.filter((worker) => worker.state === "live").length;
  const clock = now === undefined ? undefined : now + skewMs();
  return (
    <>
      <PageHeader title="Workers" />
      {error ? <ErrorState error={error} onRetry={retry} /> : null}
      {!snapshot && !error ? <LoadingState what="the workers" rows={6} /> : null}
      {snapshot && all.length === 0 ? (
        <EmptyState title="No worker has joined this cluster" command="ringlight up --workers 3">
          A worker joins by itself when it starts with the cluster's registry endpoints.
        </EmptyState>
      ) : null}
      {snapshot && all.length > 0 ? (
        <Panel
          title="Members of the ring"
          hint={`epoch ${snapshot.epoch}`}
          actions={
            <span className="flex items-center gap-3">
              <PartialNote answered={live} asked={all.length} />
              {crowd ? (
                <label>
                  <span className="sr-only">Find a worker by its id or host</span>
                  <input
                    className="rl-input w-44! text-xs!"
                    placeholder="Find a worker"
                    value={find}
                    spellCheck={false}
                    onChange={(event) => setFind(event.target.value)}
                  />
                </label>
              ) : null}
            </span>
          }
          flush
        >
          <DataTable
            caption="Workers"
            rows={ranked}
            rowKey={({ id }) => id}
            rowProps={({ id, state }) => ({ "data-testid": `worker-row-${id}`, "data-state": state })}
            columns={[
              {
                id: "worker",
                title: "Worker",
                cell: (worker) => (
                  <div className="flex items-center gap-2">
                    <Swatch colour={colours.get(worker.id) ?? ""} hatched={worker.state === "down"} />
                    <Link
                      className="rl-link font-medium whitespace-nowrap"
                      href={`/workers/${encodeURIComponent(worker.id)}`}
                    >
                      {worker.id}
                    </Link>
                  </div>
                ),
              },
              {
                id: "state",
                title: "State",
                cell: (worker) => (
                  <StateCell worker={worker} sampleMs={numbers?.get(worker.id)?.sampleMs} clock={clock} />
                ),
              },
              {
                id: "address",
                title: "Address",
                cell: (worker) => (
                  <div className="text-xs">
                    <div className="font-mono whitespace-nowrap">{worker.addresses?.s3 ?? NOTHING}</div>
                    <div className="whitespace-nowrap text-subtle">
                      {worker.version ? `v${worker.version.replace(/^v/, "")}` : ""}
                      {worker.pid ? ` · pid ${worker.pid}` : ""}
                    </div>
                  </div>
                ),
              },
              {
                id: "uptime",
                title: "Up for",
                numeric: true,
                cell: (worker) =>
                  formatAge(
                    worker.startedMs === undefined || clock === undefined ? undefined : clock - worker.startedMs,
                  ),
              },
              {
                id: "tiers",
                title: "Tiers",
                className: "min-w-44 w-1/4",
                cell: (worker) => (
                  <div className="space-y-1.5">
                    {(numbers?.get(worker.id)?.tiers ?? []).map((tier) => (
                      <TierBar key={tier.name} tier={tier} compact />
                    ))}
                  </div>
                ),
              },
              {
                id: "hit-rate",
                title: "Hit rate",
                numeric: true,
                cell: (worker) => formatPercent(column.hitRate(numbers?.get(worker.id)?.rates ?? {})),
              },
              {
                id: "requests",
                title: "Requests",
                numeric: true,
                cell: (worker) => formatRate(rateOf(numbers?.get(worker.id), "req.")),
              },
              { id: "cpu", title: "CPU", numeric: true, cell: (worker) => cpuText(worker, numbers?.get(worker.id)) },
              {
                id: "rss",
                title: "RSS",
                numeric: true,
                cell: (worker) => formatSize(numbers?.get(worker.id)?.gauges[column.RSS]),
              },
            ]}
          />
          <div className="flex flex-wrap items-center gap-3 px-4 py-2.5">
            <CopyCommand command="ringlight status" />
            <span className="text-xs text-subtle">Rates of the last 10 s.</span>
          </div>
        </Panel>
      ) : null}
    </>
  );
}

/** Sum of a family of rates; undefined while there are none. */
function rateOf(tick: BriefTick | undefined, prefix: string): number | undefined {
  return tick && Object.keys(tick.rates).length > 0 ? column.sumFamily(tick.rates, prefix) : undefined;
}

function cpuText(worker: WorkerView, tick: BriefTick | undefined): string {
  const cores = tick?.rates[column.CPU];
  return worker.state !== "live" || cores === undefined ? NOTHING : `${formatShort(cores * 100)} %`;
}

function StateCell({
  worker,
  sampleMs,
  clock,
}: {
  worker: WorkerView;
  sampleMs: number | undefined;
  clock: number | undefined;
}) {
  const stale = worker.state !== "live" && sampleMs !== undefined && clock !== undefined;
  return (
    <div>
      <WorkerStateBadge state={worker.state} reason={worker.reason} />
      {stale ? (
        <div className="text-xs whitespace-nowrap text-subtle tabular-nums">
          numbers {formatAge(clock - sampleMs)} old
        </div>
      ) : null}
    </div>
  );
}

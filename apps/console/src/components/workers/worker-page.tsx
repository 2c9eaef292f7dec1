"use client";
import type { Contents } from "@ringlight/client";
import {
  CopyCommand,
  EmptyState,
  ErrorState,
  formatAge,
  formatMoment,
  formatPercent,
  formatRate,
  formatShort,
  formatSize,
  LoadingState,
  NOTHING,
  Panel,
  StaleNote,
  StatTile,
  TierBar,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import * as column from "../../columns.ts";
import { getJson } from "../../state/fetch-json.ts";
import { useCluster, useLive, useNow, useTick } from "../../state/live.tsx";
import { useRing } from "../../state/ring.ts";
import { useSeries } from "../../state/series.ts";
import { useRange } from "../../state/time-range.ts";
import type { ErrorBody, TierView, WorkerDetail } from "../../wire.ts";
import { HotTable } from "../cache/hot-table.tsx";
import { PageHeader, useTitle } from "../page-header.tsx";
import { RangePicker } from "../time-picker.tsx";
import { TrafficCharts } from "../traffic-charts.tsx";
import { WorkerStateBadge } from "../worker-state.tsx";
import { WorkerControls } from "./worker-controls.tsx";
import { ApiTable, OutcomeTable, UfsTable } from "./worker-tables.tsx";

/** One worker: its state, its charts, its tiers, and its counters in full. */
export function WorkerPage({ id }: { id: string }) {
  useTitle(id);
  const { snapshot, error, retry } = useCluster();
  const known = snapshot?.workers.some((candidate) => candidate.id === id) ?? false;
  const ring = useRing(snapshot);
  const { paused, skewMs } = useLive();
  const tick = useTick();
  const now = useNow(1000);
  const [range] = useRange();
  const series = useSeries(range, id, known);
  const query = useQuery<WorkerDetail, ErrorBody>({
    queryKey: ["worker", id],
    enabled: known,
    queryFn: ({ signal }) => getJson(`/api/workers/${encodeURIComponent(id)}`, signal),
    refetchInterval: paused ? false : 2000,
  });
  const worker = snapshot?.workers.find((candidate) => candidate.id === id);
  const hot = useQuery<Contents, ErrorBody>({
    queryKey: ["worker-hot", id],
    enabled: worker?.state === "live",
    queryFn: ({ signal }) => getJson(`/api/workers/${encodeURIComponent(id)}/hot`, signal),
    refetchInterval: paused ? false : 10_000,
  });
  const numbers = tick?.workers[id] ?? query.data?.tick;
  const clock = now === undefined ? undefined : now + skewMs();
  if (!worker) {
    return (
      <>
        <PageHeader title={id} lead={<BackLink />} />
        {error ? <ErrorState error={error} onRetry={retry} /> : null}
        {snapshot ? (
          <EmptyState title={`The ring has no member ${id}`} command="ringlight status">
            It may have left: a member that stays away is taken out of the ring.
          </EmptyState>
        ) : error ? null : (
          <LoadingState what={`worker ${id}`} rows={8} />
        )}
      </>
    );
  }
  const rates = numbers?.rates ?? {};
  const live = worker.state === "live";
  const reqs = live && Object.keys(rates).length > 0 ? column.sumFamily(rates, "req.") : undefined;
  const cpu = live ? rates[column.CPU] : undefined;
  return (
    <>
      <PageHeader
        title={
          <span className="inline-flex items-center gap-3">
            {id}
            <WorkerStateBadge state={worker.state} reason={worker.reason} />
          </span>
        }
        lead={
          <span className="flex flex-wrap gap-x-4">
            <BackLink />
            <Link className="rl-link" href={`/traces?instance=${encodeURIComponent(id)}`}>
              Traces
            </Link>
            <Link className="rl-link" href={`/logs?instance=${encodeURIComponent(id)}`}>
              Logs
            </Link>
            <Link className="rl-link" href={`/events?text=${encodeURIComponent(id)}`}>
              Events
            </Link>
            <Link className="rl-link" href={`/config?process=${encodeURIComponent(id)}`}>
              Config
            </Link>
          </span>
        }
      >
        {!live && numbers && clock !== undefined ? (
          <StaleNote ageMs={clock - numbers.sampleMs} why={`Worker is ${worker.state}`} />
        ) : null}
        <RangePicker />
      </PageHeader>
      {worker.state === "unreachable" ? (
        <ErrorState
          error={{
            code: "RL_NO_WORKERS",
            message: `The worker holds its lease but does not answer the console: ${worker.reason ?? "no statistics come"}`,
            remedy:
              "Check the network to its gRPC address, and that both use the same cluster token. The console tries again by itself.",
          }}
        />
      ) : null}
      <div className="space-y-4">
        <div className="grid grid-cols-2 gap-3 sm:grid-cols-3 2xl:grid-cols-6">
          <StatTile
            label="Hit rate, now"
            value={formatPercent(live ? column.hitRate(rates) : undefined)}
            detail={`${formatPercent(column.hitRate(numbers?.totals ?? {}))} since start`}
          />
          <StatTile label="Requests" value={formatRate(reqs)} detail="at this worker's doors" />
          <StatTile
            label="CPU"
            value={cpu === undefined ? NOTHING : `${formatShort(cpu * 100)} %`}
            detail="of one core"
          />
          <StatTile
            label="Memory, RSS"
            value={formatSize(numbers?.gauges[column.RSS])}
            detail={`heap ${formatSize(numbers?.gauges[column.HEAP])}`}
          />
          <StatTile
            label="Event-loop delay, p99"
            value={numbers ? `${formatShort(numbers.gauges[column.LOOP_DELAY_MS])} ms` : NOTHING}
            detail={`${formatShort(numbers?.gauges[column.CONNECTIONS])} connections open`}
          />
          <StatTile
            label="Share of the ring"
            value={formatPercent(ring?.share(id), 2)}
            detail={
              <Link className="rl-link" href={`/ring?worker=${encodeURIComponent(id)}`}>
                show on the ring
              </Link>
            }
          />
        </div>
        <div className="grid gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
          <Panel title="Identity">
            <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 text-[13px]">
              <Fact name="gRPC" mono value={worker.addresses?.grpc} />
              <Fact name="S3" mono value={worker.addresses?.s3} />
              <Fact name="REST" mono value={worker.addresses?.rest} />
              <Fact name="Host" value={worker.hostname ? `${worker.hostname}, pid ${worker.pid}` : undefined} />
              <Fact name="Version" value={worker.version} />
              <Fact name="Hits leave by" value={query.data?.dataPath} />
              <Fact name="Weight" value={String(worker.weight)} />
              <Fact name="Joined the ring" value={formatMoment(worker.joinedMs)} />
              <Fact
                name="Up for"
                value={
                  worker.startedMs === undefined || clock === undefined
                    ? undefined
                    : formatAge(clock - worker.startedMs)
                }
              />
            </dl>
            <div className="mt-3 flex">
              <CopyCommand command="ringlight status --json" />
            </div>
          </Panel>
          <Tiers tiers={numbers?.tiers ?? []} />
        </div>
        {series.error && !series.data ? (
          <ErrorState error={series.error} onRetry={() => void series.refetch()} />
        ) : (
          <TrafficCharts series={series.data} range={range} mount={snapshot?.mounts[0]?.record.name} />
        )}
        <div className="grid items-start gap-4 2xl:grid-cols-2">
          <WorkerControls id={id} live={live} />
          {live ? <HotTable query={hot} /> : null}
        </div>
        {query.data ? (
          <>
            <OutcomeTable pages={query.data.pages} />
            <div className="grid gap-4 2xl:grid-cols-2">
              <ApiTable apis={query.data.apis} />
              <UfsTable ufs={query.data.ufs} />
            </div>
          </>
        ) : query.error ? (
          <ErrorState error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <LoadingState what="the counters" />
        )}
      </div>
    </>
  );
}

function BackLink() {
  return (
    <Link className="rl-link" href="/workers">
      All workers
    </Link>
  );
}

function Fact({ name, value, mono = false }: { name: string; value: string | undefined; mono?: boolean }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className={`min-w-0 break-words tabular-nums ${mono ? "font-mono text-xs leading-5" : ""}`}>
        {value ?? NOTHING}
      </dd>
    </>
  );
}

function Tiers({ tiers }: { tiers: readonly TierView[] }) {
  return (
    <Panel title="Tiers" hint="bytes in use of the limit">
      {tiers.length === 0 ? (
        <p className="py-4 text-[13px] text-muted">This worker has not told of its tiers yet.</p>
      ) : (
        <ul className="space-y-4">
          {tiers.map((tier) => (
            <li key={tier.name}>
              <TierBar tier={tier} />
              <p className="mt-1.5 flex flex-wrap gap-x-4 text-xs text-subtle tabular-nums">
                <span>{tier.pages.toLocaleString("en-US")} pages</span>
                <span>
                  {tier.evictedPages.toLocaleString("en-US")} evicted ({formatSize(tier.evictedBytes)})
                </span>
                <span className={tier.corruptPages > 0 ? "text-bad" : ""}>{tier.corruptPages} corrupt</span>
              </p>
              <ul className="mt-1 font-mono text-xs break-all text-muted">
                {tier.directories.map((directory) => (
                  <li key={directory}>{directory}</li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

"use client";
import type { Contents, MissRatioCurve } from "@ringlight/client";
import { CopyCommand, EmptyState, ErrorState, LoadingState } from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import { getJson } from "../../state/fetch-json.ts";
import { useCluster, useLive } from "../../state/live.tsx";
import { useSeries } from "../../state/series.ts";
import { shellWord } from "../../state/shell-word.ts";
import { useRange } from "../../state/time-range.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { ErrorBody } from "../../wire.ts";
import { ChangesPanel } from "../changes-panel.tsx";
import { PageHeader } from "../page-header.tsx";
import { RangePicker } from "../time-picker.tsx";
import { CacheCharts } from "./cache-charts.tsx";
import { CacheTiles } from "./cache-tiles.tsx";
import { ContentsPanel } from "./contents-panel.tsx";
import { CurvePanel } from "./curve-panel.tsx";
import { HotTable } from "./hot-table.tsx";

/** A worker looks through its index for an answer: not every second. */
const CONTENTS_MS = 5_000;
const CURVE_MS = 5_000;

/** How well the cache works, what is in it, and what another size would do. */
export function CachePage() {
  const { snapshot, error, retry } = useCluster();
  const { paused } = useLive();
  const [range] = useRange();
  // All mounts are shown with what is in each.
  const [prefix, setPrefix] = useUrlState("prefix", "/", { push: true });
  const series = useSeries(range);
  const curve = useQuery<MissRatioCurve, ErrorBody>({
    queryKey: ["cache-reuse"],
    queryFn: ({ signal }) => getJson("/api/cache/reuse", signal),
    refetchInterval: paused ? false : CURVE_MS,
  });
  const contents = useQuery<Contents, ErrorBody>({
    queryKey: ["cache-contents", prefix],
    queryFn: ({ signal }) =>
      getJson(`/api/cache/contents?${new URLSearchParams({ prefix, depth: prefix === "/" ? "2" : "1" })}`, signal),
    refetchInterval: paused ? false : CONTENTS_MS,
  });
  return (
    <>
      <PageHeader title="Cache">
        <RangePicker />
      </PageHeader>
      {error ? <ErrorState error={error} onRetry={retry} /> : null}
      {!snapshot && !error ? <LoadingState what="the cache" rows={8} /> : null}
      {snapshot && snapshot.workers.length === 0 && snapshot.registry.connected ? (
        <EmptyState title="No worker has joined yet" command="ringlight up">
          What workers cache is shown here as soon as there are some.
        </EmptyState>
      ) : null}
      {snapshot && (snapshot.workers.length > 0 || !snapshot.registry.connected) ? (
        <div className="space-y-4">
          <CacheTiles series={series.data} curve={curve.data} range={range} />
          <CurvePanel query={curve} />
          {series.error && !series.data ? (
            <ErrorState error={series.error} onRetry={() => void series.refetch()} />
          ) : (
            <CacheCharts series={series.data} range={range} mounts={snapshot.mounts.map(({ record }) => record.name)} />
          )}
          <ChangesPanel range={range} />
          <ContentsPanel query={contents} prefix={prefix} onPrefix={setPrefix} />
          <HotTable query={contents} />
          <div className="flex flex-wrap gap-2">
            <CopyCommand command={`ringlight cache${prefix === "/" ? "" : ` ${shellWord(prefix)}`}`} />
            <CopyCommand command="ringlight cache --mrc" />
          </div>
        </div>
      ) : null}
    </>
  );
}

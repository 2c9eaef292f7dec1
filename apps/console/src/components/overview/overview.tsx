"use client";
import { compareTiers, EmptyState, ErrorState, isMoving, LoadingState } from "@ringlight/ui";
import { useMemo } from "react";
import * as column from "../../columns.ts";
import { useCluster, useTick } from "../../state/live.tsx";
import { useSeries } from "../../state/series.ts";
import { useRange } from "../../state/time-range.ts";
import { useWorkerNumbers } from "../../state/worker-numbers.ts";
import { ChangesPanel } from "../changes-panel.tsx";
import { PageHeader } from "../page-header.tsx";
import { Problems } from "../problems.tsx";
import { RangePicker } from "../time-picker.tsx";
import { TrafficCharts } from "../traffic-charts.tsx";
import { SavedPanel } from "./saved-panel.tsx";
import { ServedTable } from "./served-table.tsx";
import { Tiles } from "./tiles.tsx";
import { UfsTotals } from "./ufs-totals.tsx";

/** The cluster at a glance: what needs attention, then how well it serves. */
export function Overview() {
  const { snapshot, error, retry } = useCluster();
  const tick = useTick();
  const numbers = useWorkerNumbers();
  const [range] = useRange();
  const series = useSeries(range);
  // A list of its own for each tick would draw the table anew for each tick.
  const tierNames = column
    .membersOf(tick?.totals ?? {}, "stored.")
    .sort(compareTiers)
    .join();
  const tiers = useMemo(() => tierNames.split(",").filter(Boolean), [tierNames]);
  return (
    <>
      <PageHeader title="Overview">
        <RangePicker />
      </PageHeader>
      {error ? <ErrorState error={error} onRetry={retry} /> : null}
      {!snapshot && !error ? <LoadingState what="the cluster" rows={8} /> : null}
      {snapshot ? (
        <>
          <Problems snapshot={snapshot} />
          {snapshot.workers.length === 0 && snapshot.registry.connected ? (
            <EmptyState title="No worker has joined yet" command="ringlight up">
              A worker that joins appears here at once.
            </EmptyState>
          ) : (
            <div className="space-y-4">
              <Tiles tick={tick} series={series.data} range={range} />
              {isMoving(range) ? null : <ChangesPanel range={range} />}
              {series.error && !series.data ? (
                <ErrorState error={series.error} onRetry={() => void series.refetch()} />
              ) : (
                <TrafficCharts series={series.data} range={range} mount={snapshot.mounts[0]?.record.name} />
              )}
              {isMoving(range) ? <ChangesPanel range={range} /> : null}
              <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
                <ServedTable snapshot={snapshot} tiers={tiers} numbers={numbers} />
                <div className="space-y-4">
                  <SavedPanel tick={tick} />
                  <UfsTotals snapshot={snapshot} tick={tick} numbers={numbers} />
                </div>
              </div>
            </div>
          )}
        </>
      ) : null}
    </>
  );
}

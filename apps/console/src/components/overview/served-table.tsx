"use client";
import {
  CopyCommand,
  DataTable,
  formatPercent,
  formatSize,
  NOTHING,
  Panel,
  PartialNote,
  StackBar,
  Swatch,
  tierColour,
  workerColours,
} from "@ringlight/ui";
import Link from "next/link";
import { memo, useMemo } from "react";
import * as column from "../../columns.ts";
import type { WorkerNumbers } from "../../crowd.ts";
import type { ClusterSnapshot, Columns, WorkerView } from "../../wire.ts";
import { WorkerStateBadge } from "../worker-state.tsx";

/** Which worker served how many bytes from where, since its process started. */
export const ServedTable = memo(function ServedTable({
  snapshot,
  tiers,
  numbers,
}: {
  snapshot: ClusterSnapshot;
  /** Names of the tiers, those nearest to the reader first. */
  tiers: readonly string[];
  numbers: WorkerNumbers | undefined;
}) {
  const colours = useMemo(() => workerColours(snapshot.members), [snapshot.members]);
  // Numbers are looked up for the rows that are drawn, which are few of many.
  const totalsOf = (worker: WorkerView): Columns | undefined => numbers?.get(worker.id)?.totals;
  const ufsOf = (totals: Columns) => (totals[column.BYTES_MISS] ?? 0) + (totals[column.BYTES_BYPASS] ?? 0);
  const partsOf = (totals: Columns) => [
    ...tiers.map((tier) => ({ name: tier, value: totals[column.bytesHit(tier)] ?? 0, colour: tierColour(tier) })),
    { name: "joined", value: totals[column.BYTES_JOINED] ?? 0, colour: "var(--rl-joined)" },
    { name: "UFS", value: ufsOf(totals), colour: "var(--rl-ufs)" },
  ];
  const live = snapshot.workers.filter((worker) => worker.state === "live").length;
  return (
    <Panel
      title="Who served what"
      hint="bytes since each worker's start"
      actions={<PartialNote answered={live} asked={snapshot.workers.length} />}
      flush
    >
      <DataTable
        caption="Bytes served by each worker, by source"
        rows={snapshot.workers}
        rowKey={({ id }) => id}
        columns={[
          {
            id: "worker",
            title: "Worker",
            cell: (worker) => (
              <span className="flex items-center gap-2">
                <Swatch colour={colours.get(worker.id) ?? ""} hatched={worker.state === "down"} />
                <Link
                  className="rl-link font-medium whitespace-nowrap"
                  href={`/workers/${encodeURIComponent(worker.id)}`}
                >
                  {worker.id}
                </Link>
                {worker.state === "live" ? null : <WorkerStateBadge state={worker.state} reason={worker.reason} />}
              </span>
            ),
          },
          {
            id: "split",
            title: "Split",
            className: "min-w-32 w-1/4",
            cell: (worker) => (
              <StackBar label={`${worker.id} served`} parts={partsOf(totalsOf(worker) ?? {})} format={formatSize} />
            ),
          },
          ...tiers.map((tier) => ({
            id: tier,
            title: (
              <span className="inline-flex items-center gap-1.5">
                <Swatch colour={tierColour(tier)} />
                {tier}
              </span>
            ),
            numeric: true,
            cell: (worker: WorkerView) => {
              const totals = totalsOf(worker);
              return totals ? formatSize(totals[column.bytesHit(tier)] ?? 0) : NOTHING;
            },
          })),
          {
            id: "ufs",
            title: (
              <span className="inline-flex items-center gap-1.5">
                <Swatch colour="var(--rl-ufs)" />
                UFS
              </span>
            ),
            numeric: true,
            cell: (worker) => {
              const totals = totalsOf(worker);
              return totals ? formatSize(ufsOf(totals)) : NOTHING;
            },
          },
          {
            id: "hit-rate",
            title: "Hit rate",
            numeric: true,
            cell: (worker) => formatPercent(column.hitRate(totalsOf(worker) ?? {})),
          },
        ]}
      />
      <div className="px-4 py-2.5">
        <CopyCommand command="ringlight status" />
      </div>
    </Panel>
  );
});

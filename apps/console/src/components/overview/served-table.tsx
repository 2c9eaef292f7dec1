"use client";
import {
  CopyCommand,
  compareTiers,
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
import { useMemo } from "react";
import * as column from "../../columns.ts";
import type { ClusterSnapshot, Columns, Tick } from "../../wire.ts";
import { WorkerStateBadge } from "../worker-state.tsx";

/** Which worker served how many bytes from where, since its process started. */
export function ServedTable({ snapshot, tick }: { snapshot: ClusterSnapshot; tick: Tick | undefined }) {
  const colours = useMemo(() => workerColours(snapshot.members), [snapshot.members]);
  const names = new Set<string>();
  for (const id in tick?.workers) for (const { name } of tick.workers[id]?.tiers ?? []) names.add(name);
  const tiers = [...names].sort(compareTiers);
  const rows = snapshot.workers.map((worker) => {
    const own = tick?.workers[worker.id];
    return { worker, totals: own?.totals ?? {}, known: own !== undefined };
  });
  const ufsOf = (totals: Columns) => (totals[column.BYTES_MISS] ?? 0) + (totals[column.BYTES_BYPASS] ?? 0);
  // Made for the rows that are drawn, which are few of many.
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
        rows={rows}
        rowKey={(row) => row.worker.id}
        columns={[
          {
            id: "worker",
            title: "Worker",
            cell: ({ worker }) => (
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
            cell: ({ worker, totals }) => (
              <StackBar label={`${worker.id} served`} parts={partsOf(totals)} format={formatSize} />
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
            cell: ({ totals, known }: (typeof rows)[number]) =>
              known ? formatSize(totals[column.bytesHit(tier)] ?? 0) : NOTHING,
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
            cell: ({ totals, known }) => (known ? formatSize(ufsOf(totals)) : NOTHING),
          },
          {
            id: "hit-rate",
            title: "Hit rate",
            numeric: true,
            cell: ({ totals }) => formatPercent(column.hitRate(totals)),
          },
        ]}
      />
      <div className="px-4 py-2.5">
        <CopyCommand command="ringlight status" />
      </div>
    </Panel>
  );
}

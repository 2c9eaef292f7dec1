"use client";
import { formatCount, formatSize, NOTHING, Panel } from "@ringlight/ui";
import * as column from "../../columns.ts";
import type { WorkerNumbers } from "../../crowd.ts";
import type { ClusterSnapshot, Tick } from "../../wire.ts";

/** What the stores behind the mounts were asked for, exactly, since the workers' start. */
export function UfsTotals({
  snapshot,
  tick,
  numbers,
}: {
  snapshot: ClusterSnapshot;
  tick: Tick | undefined;
  numbers: WorkerNumbers | undefined;
}) {
  const totals = tick?.totals;
  const away = snapshot.workers.filter((worker) => worker.state !== "live" && numbers?.get(worker.id));
  const rows = [
    { id: "get", label: "UFS GETs", value: totals?.[column.ufs("get")] },
    { id: "head", label: "UFS HEADs", value: totals?.[column.ufs("head")] },
    { id: "list", label: "UFS LISTs", value: totals?.[column.ufs("list")] },
    { id: "errors", label: "Failed calls", value: totals ? (totals[column.UFS_ERRORS] ?? 0) : undefined },
    {
      id: "fallbacks",
      label: "Reads that took another source",
      value: totals ? (totals[column.FALLBACKS] ?? 0) : undefined,
    },
  ];
  return (
    <Panel title="UFS calls" hint="exact, since the workers' start">
      <dl className="grid grid-cols-[1fr_auto] gap-y-1.5 text-[13px]">
        {rows.map((row) => (
          <div key={row.id} className="contents">
            <dt className="text-muted">{row.label}</dt>
            <dd
              className="text-right font-medium tabular-nums"
              data-testid={`ufs-${row.id}-total`}
              data-value={row.value}
            >
              {row.value === undefined ? NOTHING : formatCount(row.value)}
            </dd>
          </div>
        ))}
        <dt className="text-muted">Bytes read from UFS</dt>
        <dd
          className="text-right font-medium tabular-nums"
          data-testid="ufs-bytes-total"
          data-value={totals?.[column.UFS_BYTES] ?? 0}
        >
          {formatSize(totals ? (totals[column.UFS_BYTES] ?? 0) : undefined)}
        </dd>
      </dl>
      <p className="mt-3 text-xs text-subtle">
        Sum of {formatCount(tick?.known ?? 0)} of {formatCount(snapshot.workers.length)} workers
        {away.length > 0 ? `; last known of ${namesOf(away.map(({ id }) => id))}` : ""}.
      </p>
    </Panel>
  );
}

/** Names that a sentence can hold. */
const NAMED = 6;

function namesOf(ids: readonly string[]): string {
  const named = ids.slice(0, NAMED).join(", ");
  return ids.length > NAMED ? `${named} and ${formatCount(ids.length - NAMED)} more` : named;
}

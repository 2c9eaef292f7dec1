"use client";
import type { Ring } from "@ringlight/ring";
import { DataTable, formatCount, formatDeviation, formatMoment, formatPercent, Panel, Swatch } from "@ringlight/ui";
import Link from "next/link";
import type { ClusterSnapshot } from "../../wire.ts";
import { WorkerStateBadge } from "../worker-state.tsx";

/** The members and what each owns: the table twin of the ring. */
export function MemberTable({
  snapshot,
  ring,
  colours,
  selected,
  onSelect,
}: {
  snapshot: ClusterSnapshot;
  ring: Ring;
  colours: ReadonlyMap<string, string>;
  selected: string | undefined;
  onSelect: (id: string) => void;
}) {
  const weights = snapshot.workers.reduce((sum, worker) => sum + worker.weight, 0);
  const rows = snapshot.workers.map((worker, index) => ({
    worker,
    number: index + 1,
    arcs: ring.arcCount(worker.id),
    share: ring.share(worker.id),
    fair: worker.weight / weights,
  }));
  return (
    <Panel title="Members" hint={`${rows.length} in the ring, by id`} flush>
      <DataTable
        caption="Members of the ring and their shares"
        rows={rows}
        rowKey={(row) => row.worker.id}
        rowProps={({ worker }) => ({
          "data-testid": `ring-member-${worker.id}`,
          "data-state": worker.state,
          className: worker.id === selected ? "bg-accent-soft" : "",
        })}
        columns={[
          {
            id: "worker",
            title: "Worker",
            cell: ({ worker, number }) => (
              <button
                type="button"
                aria-pressed={worker.id === selected}
                aria-label={`Highlight the arcs of ${worker.id}`}
                className="flex items-center gap-2 text-left font-medium"
                onClick={() => onSelect(worker.id)}
              >
                <span className="w-4 text-right text-xs text-subtle tabular-nums">{number}</span>
                <Swatch colour={colours.get(worker.id) ?? ""} hatched={worker.state === "down"} />
                <span className="whitespace-nowrap">{worker.id}</span>
              </button>
            ),
          },
          {
            id: "state",
            title: "State",
            cell: ({ worker }) => <WorkerStateBadge state={worker.state} reason={worker.reason} />,
          },
          { id: "weight", title: "Weight", numeric: true, cell: ({ worker }) => worker.weight },
          { id: "arcs", title: "Arcs", numeric: true, cell: ({ arcs }) => formatCount(arcs) },
          { id: "share", title: "Share", numeric: true, cell: ({ share }) => formatPercent(share, 2) },
          {
            id: "deviation",
            title: "From fair",
            numeric: true,
            cell: ({ share, fair }) => (
              <span title={`fair is ${formatPercent(fair, 2)}`}>{formatDeviation(share / fair)}</span>
            ),
          },
          {
            id: "joined",
            title: "Joined",
            numeric: true,
            cell: ({ worker }) => <span suppressHydrationWarning>{formatMoment(worker.joinedMs)}</span>,
          },
          {
            id: "page",
            title: <span className="sr-only">Page</span>,
            numeric: true,
            cell: ({ worker }) => (
              <Link className="rl-link text-xs" href={`/workers/${encodeURIComponent(worker.id)}`}>
                open<span className="sr-only"> {worker.id}</span>
              </Link>
            ),
          },
        ]}
      />
    </Panel>
  );
}

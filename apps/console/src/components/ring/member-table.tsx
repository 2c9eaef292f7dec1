"use client";
import type { Ring } from "@ringlight/ring";
import {
  DataTable,
  formatCount,
  formatDeviation,
  formatMoment,
  formatPercent,
  Icon,
  Panel,
  Swatch,
} from "@ringlight/ui";
import Link from "next/link";
import { useState } from "react";
import { useEpochs } from "../../state/epochs.ts";
import type { ClusterSnapshot, EpochsView } from "../../wire.ts";
import { WorkerStateBadge } from "../worker-state.tsx";

/** Rows that are shown at once. */
const ROWS = 60;

/** The epoch since which a member has been in the ring without a break, as far as the history goes. */
function joinedEpoch(epochs: EpochsView["epochs"] | undefined, id: string): number | undefined {
  let joined: number | undefined;
  for (const { epoch, members } of epochs ?? []) {
    if (!members.some((member) => member.id === id)) break;
    joined = epoch;
  }
  return joined;
}

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
  const epochs = useEpochs(snapshot.epoch).data?.epochs;
  const weights = snapshot.workers.reduce((sum, worker) => sum + worker.weight, 0);
  const [find, setFind] = useState("");
  const large = snapshot.workers.length > ROWS;
  const all = snapshot.workers.map((worker, index) => ({
    worker,
    number: index + 1,
    arcs: ring.arcCount(worker.id),
    share: ring.share(worker.id),
    fair: worker.weight / weights,
  }));
  // Of many members those stand first that are not well, then those farthest from their fair share.
  const ranked = large
    ? all
        .filter(({ worker }) => worker.id.includes(find.trim()) || worker.id === selected)
        .sort(
          (a, b) =>
            Number(a.worker.state === "live") - Number(b.worker.state === "live") ||
            Math.abs(b.share / b.fair - 1) - Math.abs(a.share / a.fair - 1),
        )
    : all;
  const rows = ranked
    .slice(0, large ? ROWS : undefined)
    .map((row) => ({ ...row, joined: joinedEpoch(epochs, row.worker.id) }));
  return (
    <Panel
      title="Members"
      hint={
        large
          ? `${formatCount(rows.length)} of ${formatCount(all.length)}: the unwell first, then the farthest from fair`
          : `${all.length} in the ring, by id`
      }
      flush
      actions={
        large ? (
          <label>
            <span className="sr-only">Find a member</span>
            <input
              className="rl-input h-7! w-44! text-xs!"
              value={find}
              placeholder="part of an id"
              spellCheck={false}
              onChange={(event) => setFind(event.target.value)}
            />
          </label>
        ) : null
      }
    >
      <DataTable
        caption="Members of the ring and their shares"
        compact
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
              <div>
                <button
                  type="button"
                  aria-pressed={worker.id === selected}
                  title="Highlight its arcs on the ring"
                  className="flex items-center gap-2 text-left font-medium"
                  onClick={() => onSelect(worker.id)}
                >
                  <span className="w-3 text-right text-xs text-subtle tabular-nums">{number}</span>
                  <Swatch colour={colours.get(worker.id) ?? ""} hatched={worker.state === "down"} />
                  <span className="max-w-36 truncate">{worker.id}</span>
                </button>
                <div className="pl-[38px]">
                  <WorkerStateBadge state={worker.state} reason={worker.reason} />
                </div>
              </div>
            ),
          },
          { id: "weight", title: "Weight", numeric: true, cell: ({ worker }) => worker.weight },
          { id: "arcs", title: "Arcs", numeric: true, cell: ({ arcs }) => formatCount(arcs) },
          {
            id: "share",
            title: "Share",
            numeric: true,
            cell: ({ share, fair }) => (
              <span title={`fair is ${formatPercent(fair, 2)}`}>{formatPercent(share, 2)}</span>
            ),
          },
          {
            id: "deviation",
            title: "From fair",
            numeric: true,
            cell: ({ share, fair }) => formatDeviation(share / fair),
          },
          {
            id: "joined",
            title: "Joined",
            numeric: true,
            cell: ({ worker, joined }) => (
              <span title={formatMoment(worker.joinedMs)}>{joined === undefined ? "–" : `epoch ${joined}`}</span>
            ),
          },
          {
            id: "page",
            title: <span className="sr-only">Page</span>,
            numeric: true,
            cell: ({ worker }) => (
              <Link
                className="inline-flex align-middle text-muted hover:text-accent"
                href={`/workers/${encodeURIComponent(worker.id)}`}
                aria-label={`Page of ${worker.id}`}
              >
                <Icon name="right" size={15} />
              </Link>
            ),
          },
        ]}
      />
    </Panel>
  );
}

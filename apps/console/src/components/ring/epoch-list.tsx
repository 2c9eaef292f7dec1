"use client";
import { DataTable, EmptyState, ErrorState, formatMoment, LoadingState, Panel } from "@ringlight/ui";
import { useEpochs } from "../../state/epochs.ts";

/** The newest epochs of the ring and what made them. */
export function EpochList({
  epoch,
  shown,
  onShow,
}: {
  epoch: number;
  /** The epoch that the ring is drawn at; undefined for the present. */
  shown: number | undefined;
  onShow: (epoch: number) => void;
}) {
  const query = useEpochs(epoch);
  const epochs = query.data?.epochs;
  return (
    <Panel title="Epochs" hint={query.data ? `newest first, from the ${query.data.source}` : "newest first"} flush>
      {query.error && !epochs ? (
        <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
      ) : !epochs ? (
        <LoadingState what="the epochs" rows={3} />
      ) : epochs.length === 0 ? (
        <EmptyState title="No epoch was written down yet">
          The leading scheduler keeps the history of the ring.
        </EmptyState>
      ) : (
        <DataTable
          caption="Epochs of the ring, newest first"
          compact
          maxHeight={260}
          rows={epochs}
          rowKey={(row) => String(row.epoch)}
          columns={[
            {
              id: "epoch",
              title: "Epoch",
              cell: (row) => (
                <span className="font-medium tabular-nums">
                  <button
                    type="button"
                    className="rl-link"
                    aria-pressed={row.epoch === (shown ?? epoch)}
                    title="Draw the ring of this epoch"
                    onClick={() => onShow(row.epoch)}
                  >
                    {row.epoch}
                  </button>
                  {row.epoch === epoch ? <span className="ml-2 text-xs font-normal text-ok">now</span> : null}
                </span>
              ),
            },
            { id: "cause", title: "Cause", cell: (row) => row.cause || "–", className: "w-1/2" },
            { id: "members", title: "Size", numeric: true, cell: (row) => row.members.length },
            {
              id: "at",
              title: "Since",
              numeric: true,
              cell: (row) => <span title={formatMoment(row.atMs)}>{formatMoment(row.atMs).slice(5)}</span>,
            },
          ]}
        />
      )}
    </Panel>
  );
}

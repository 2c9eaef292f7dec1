"use client";
import { DataTable, EmptyState, ErrorState, formatMoment, LoadingState, Panel } from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import { getJson } from "../../state/fetch-json.ts";
import type { EpochsView, ErrorBody } from "../../wire.ts";

/** The newest epochs of the ring and what made them. */
export function EpochList({ epoch }: { epoch: number }) {
  const query = useQuery<EpochsView, ErrorBody>({
    queryKey: ["epochs", epoch],
    queryFn: ({ signal }) => getJson("/api/epochs", signal),
    placeholderData: (previous) => previous,
    // The leader writes an epoch down a moment after it began.
    refetchInterval: (state) => (state.state.data?.epochs[0]?.epoch === epoch ? false : 2000),
    retry: 1,
  });
  const epochs = query.data?.epochs;
  return (
    <Panel title="Epochs" hint={query.data ? `newest first, from the ${query.data.source}` : "newest first"} flush>
      {query.error && !epochs ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !epochs ? (
        <LoadingState what="the epochs" rows={3} />
      ) : epochs.length === 0 ? (
        <EmptyState title="No epoch was written down yet">
          The leading scheduler keeps the history of the ring.
        </EmptyState>
      ) : (
        <DataTable
          caption="Epochs of the ring, newest first"
          maxHeight={260}
          rows={epochs}
          rowKey={(row) => String(row.epoch)}
          columns={[
            {
              id: "epoch",
              title: "Epoch",
              cell: (row) => (
                <span className="font-medium tabular-nums">
                  {row.epoch}
                  {row.epoch === epoch ? <span className="ml-2 text-xs font-normal text-ok">now</span> : null}
                </span>
              ),
            },
            { id: "cause", title: "Cause", cell: (row) => row.cause || "–", className: "w-1/2" },
            { id: "members", title: "Members", numeric: true, cell: (row) => row.members.length },
            { id: "at", title: "Since", numeric: true, cell: (row) => formatMoment(row.atMs) },
          ]}
        />
      )}
    </Panel>
  );
}

"use client";
import type { Contents } from "@ringlight/client";
import {
  DataTable,
  EmptyState,
  ErrorState,
  formatAge,
  formatByteRate,
  formatCount,
  formatRate,
  LoadingState,
  Panel,
  PartialNote,
} from "@ringlight/ui";
import type { UseQueryResult } from "@tanstack/react-query";
import Link from "next/link";
import type { ErrorBody } from "../../wire.ts";

/** The objects that are asked for the most, each with its explanation a click away. */
export function HotTable({ query }: { query: UseQueryResult<Contents, ErrorBody> }) {
  const contents = query.data;
  const seconds = Math.max(1, (contents?.hotWindowMs ?? 0) / 1000);
  return (
    <Panel
      title="Hot objects"
      hint={contents ? `page requests of the last ${formatAge(contents.hotWindowMs)}` : undefined}
      actions={contents ? <PartialNote answered={contents.answered} asked={contents.workers} /> : null}
      flush
    >
      {query.error && !contents ? (
        <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
      ) : !contents ? (
        <LoadingState what="the hot objects" rows={4} />
      ) : contents.hot.length === 0 ? (
        <EmptyState title="Nothing was read of late" command="ringlight cat /<mount>/<key> > /dev/null" />
      ) : (
        <DataTable
          caption="Objects that are asked for the most"
          maxHeight={320}
          rows={contents.hot}
          rowKey={({ path }) => path}
          columns={[
            {
              id: "path",
              title: "Path",
              cell: ({ path }) => (
                <Link
                  className="rl-link font-mono text-xs break-all"
                  href={`/explain?${new URLSearchParams({ path })}`}
                >
                  {path}
                </Link>
              ),
            },
            { id: "requests", title: "Page requests", numeric: true, cell: ({ requests }) => formatCount(requests) },
            { id: "rate", title: "Rate", numeric: true, cell: ({ requests }) => formatRate(requests / seconds) },
            { id: "bytes", title: "Bytes", numeric: true, cell: ({ bytes }) => formatByteRate(bytes / seconds) },
          ]}
        />
      )}
    </Panel>
  );
}

"use client";
import {
  Badge,
  CopyCommand,
  DataTable,
  EmptyState,
  ErrorState,
  formatMoment,
  LoadingState,
  Panel,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import { getJson } from "../../state/fetch-json.ts";
import { useLive } from "../../state/live.tsx";
import type { ErrorBody } from "../../wire.ts";
import type { AuditPage } from "../../wire-session.ts";

/** Who changed what through the console, and what was refused: the newest first. */
export function AuditList() {
  const { paused } = useLive();
  const query = useQuery<AuditPage, ErrorBody>({
    queryKey: ["audit"],
    queryFn: ({ signal }) => getJson("/api/audit?limit=200", signal),
    refetchInterval: paused ? false : 5000,
  });
  const entries = query.data?.entries;
  return (
    <Panel title="Audit" hint="what was changed, or tried, through this console; newest first" flush className="mt-4">
      {query.error && !entries ? (
        <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
      ) : !entries ? (
        <LoadingState what="the audit log" rows={4} />
      ) : entries.length === 0 ? (
        <EmptyState
          title="Nothing was changed through this console"
          command="ringlight config log-level worker-1 debug"
        >
          Mounts, access keys, log levels and log-ins land here, with who did it and from where.
        </EmptyState>
      ) : (
        <DataTable
          caption="Audit log, newest first"
          rows={entries}
          maxHeight={360}
          rowKey={(row) => String(row.id)}
          rowProps={() => ({ "data-testid": "audit-row" })}
          columns={[
            {
              id: "at",
              title: "When",
              cell: (row) => <span className="whitespace-nowrap tabular-nums">{formatMoment(row.atMs)}</span>,
            },
            { id: "user", title: "Who", cell: (row) => `${row.user} (${row.role})` },
            { id: "action", title: "What", cell: (row) => <span className="font-mono text-xs">{row.action}</span> },
            { id: "subject", title: "To what", cell: (row) => <span className="break-all">{row.subject}</span> },
            {
              id: "outcome",
              title: "Outcome",
              cell: (row) => (
                <Badge tone={row.outcome === "ok" ? "ok" : row.outcome === "refused" ? "warn" : "bad"}>
                  {row.outcome}
                </Badge>
              ),
            },
            { id: "detail", title: "Detail", cell: (row) => <span className="text-xs text-muted">{row.detail}</span> },
            { id: "remote", title: "From", cell: (row) => <span className="font-mono text-xs">{row.remote}</span> },
          ]}
        />
      )}
      <div className="flex border-t border-line px-4 py-2.5">
        <CopyCommand command="ringlight audit" />
      </div>
    </Panel>
  );
}

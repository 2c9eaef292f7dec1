"use client";
import {
  CopyCommand,
  DataTable,
  EmptyState,
  ErrorState,
  formatAge,
  formatMoment,
  formatPercent,
  formatSize,
  Icon,
  LoadingState,
  NOTHING,
  Panel,
  PartialNote,
} from "@ringlight/ui";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { browseHref } from "../../state/browse-href.ts";
import { getJson } from "../../state/fetch-json.ts";
import { useLive, useNow } from "../../state/live.tsx";
import { shellWord } from "../../state/shell-word.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { BrowseEntry, BrowsePage, ErrorBody } from "../../wire.ts";
import { PageHeader, useTitle } from "../page-header.tsx";
import { FilePanel } from "./file-panel.tsx";

/** One folder of the namespace, and the chosen file beside it. */
export function BrowsePageView({ path }: { path: string }) {
  const { paused } = useLive();
  const [after, setAfter] = useUrlState("after", "", { push: true });
  const [file, setFile] = useUrlState("file", "", { push: true });
  useTitle(path === "/" ? "Browse" : path);
  const client = useQueryClient();
  const queryKey = ["browse", path, after];
  const query = useQuery<BrowsePage, ErrorBody>({
    queryKey,
    queryFn: ({ signal }) => getJson(`/api/browse?${new URLSearchParams({ path, after })}`, signal),
    placeholderData: (previous) =>
      previous?.path.replace(/\/$/, "") === path.replace(/\/$/, "") ? previous : undefined,
    refetchInterval: paused ? false : 5000,
  });
  const page = query.data;
  const refresh = useMutation<BrowsePage, ErrorBody>({
    mutationFn: () => getJson(`/api/browse?${new URLSearchParams({ path, after, fresh: "1" })}`),
    onSuccess: (fresh) => client.setQueryData(queryKey, fresh),
  });
  return (
    <>
      <PageHeader title="Browse" lead={<Breadcrumbs path={path} />} />
      <div className={`grid items-start gap-4 ${file ? "xl:grid-cols-[minmax(0,1fr)_minmax(0,460px)]" : ""}`}>
        <Panel
          title={path === "/" ? "Mounts" : "Contents"}
          hint={page ? rowsText(page, after) : undefined}
          actions={
            <>
              {page && page.asked > 0 ? <PartialNote answered={page.answered} asked={page.asked} /> : null}
              {path === "/" ? null : <ListedAge page={page} />}
              <button
                type="button"
                className="rl-icon-button"
                aria-label="List again"
                title="List again"
                disabled={refresh.isPending}
                onClick={() => refresh.mutate()}
              >
                <Icon name="refresh" size={15} />
              </button>
            </>
          }
          flush
        >
          {query.error && !page ? (
            <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
          ) : !page ? (
            <LoadingState what={path} rows={8} />
          ) : page.entries.length === 0 ? (
            path === "/" ? (
              <EmptyState title="Nothing is mounted yet" command="ringlight mount add /logs s3://bucket/logs" />
            ) : (
              <EmptyState title="This folder is empty" command={`ringlight ls ${shellWord(path)}`}>
                The store behind the mount has no key under this prefix.
              </EmptyState>
            )
          ) : (
            <EntryTable entries={page.entries} file={file} onFile={(next) => setFile(next === file ? "" : next)} />
          )}
          {refresh.error ? <ErrorState inset error={refresh.error} onRetry={() => refresh.mutate()} /> : null}
          {query.error && page ? (
            <p role="status" className="px-4 pt-2 text-xs font-medium text-warn">
              The last refresh failed: {query.error.message}
            </p>
          ) : null}
          <div className="flex flex-wrap items-center gap-3 px-4 py-2.5">
            <CopyCommand command={`ringlight ls ${shellWord(path)}`} />
            {after !== "" || page?.truncated ? (
              <div className="ml-auto flex gap-2">
                <button type="button" className="rl-button" disabled={after === ""} onClick={() => setAfter("")}>
                  First page
                </button>
                <button
                  type="button"
                  className="rl-button"
                  disabled={!page?.truncated}
                  onClick={() => page && setAfter(page.next)}
                >
                  Next page
                  <Icon name="right" size={14} />
                </button>
              </div>
            ) : null}
          </div>
        </Panel>
        {file ? <FilePanel path={file} onClose={() => setFile("")} /> : null}
      </div>
    </>
  );
}

/** When the store was asked for the listing. */
function ListedAge({ page }: { page: BrowsePage | undefined }) {
  const { skewMs } = useLive();
  const now = useNow(1000);
  if (!page || now === undefined) return null;
  return (
    <span className="text-xs text-subtle tabular-nums max-sm:hidden">
      listed {formatAge(now + skewMs() - page.listedMs)} ago
    </span>
  );
}

function rowsText(page: BrowsePage, after: string): string {
  const rows = page.entries.length === 1 ? "1 entry" : `${page.entries.length} entries`;
  return page.truncated || after !== "" ? `${rows} on this page${page.truncated ? ", more follow" : ""}` : rows;
}

function Breadcrumbs({ path }: { path: string }) {
  const parts = path.split("/").filter(Boolean);
  return (
    <nav aria-label="Path">
      <ol className="flex flex-wrap items-center gap-1 font-mono text-xs">
        <li>
          <Link className="rl-link" href="/browse" aria-current={parts.length === 0 ? "page" : undefined}>
            /
          </Link>
        </li>
        {parts.map((part, index) => {
          const target = `/${parts.slice(0, index + 1).join("/")}`;
          const last = index === parts.length - 1;
          return (
            <li key={target} className="flex items-center gap-1">
              {index > 0 ? <span className="text-subtle">/</span> : null}
              {last ? (
                <span aria-current="page" className="font-medium text-text">
                  {part}
                </span>
              ) : (
                <Link className="rl-link" href={browseHref(target)}>
                  {part}
                </Link>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

function EntryTable({
  entries,
  file,
  onFile,
}: {
  entries: readonly BrowseEntry[];
  file: string;
  onFile: (path: string) => void;
}) {
  return (
    <DataTable
      caption="Folders and files"
      rows={entries}
      rowKey={(entry) => entry.path}
      rowProps={(entry) => ({
        "data-testid": "browse-row",
        "data-path": entry.path,
        className: entry.path === file ? "bg-accent-soft" : "",
      })}
      columns={[
        {
          id: "name",
          title: "Name",
          className: "w-1/2",
          cell: (entry) =>
            entry.kind === "folder" ? (
              <Link className="flex items-center gap-2 font-medium hover:text-accent" href={browseHref(entry.path)}>
                <Icon name="browse" className="text-accent" />
                <span className="break-all">{entry.name}/</span>
              </Link>
            ) : (
              <button
                type="button"
                className="flex items-center gap-2 text-left hover:text-accent"
                aria-pressed={entry.path === file}
                onClick={() => onFile(entry.path)}
              >
                <Icon name="file" className="text-subtle" />
                <span className="break-all">{entry.name}</span>
              </button>
            ),
        },
        {
          id: "size",
          title: "Size",
          numeric: true,
          cell: (entry) => (entry.kind === "folder" ? "" : formatSize(entry.sizeBytes)),
        },
        { id: "cached", title: "Cached", className: "min-w-36 w-44", cell: (entry) => <CachedBar entry={entry} /> },
        {
          id: "modified",
          title: "Modified",
          numeric: true,
          className: "max-sm:hidden",
          cell: (entry) => (entry.modifiedMs ? formatMoment(entry.modifiedMs) : ""),
        },
      ]}
    />
  );
}

function CachedBar({ entry }: { entry: BrowseEntry }) {
  if (entry.kind === "folder") return null;
  const { sizeBytes = 0, cachedBytes } = entry;
  if (cachedBytes === undefined) return <span className="text-xs text-subtle">{NOTHING}</span>;
  const share = sizeBytes === 0 ? 1 : cachedBytes / sizeBytes;
  return (
    <div className="flex items-center gap-2" title={`${formatSize(cachedBytes)} of ${formatSize(sizeBytes)} cached`}>
      <div
        aria-hidden="true"
        className="h-1.5 flex-1 overflow-hidden rounded-full bg-raised ring-1 ring-line ring-inset"
      >
        <div className="h-full rounded-full bg-(--rl-tier-mem)" style={{ width: `${share * 100}%` }} />
      </div>
      <span className="w-12 text-right text-xs tabular-nums" data-testid="browse-cached">
        {formatPercent(share, 0)}
      </span>
    </div>
  );
}

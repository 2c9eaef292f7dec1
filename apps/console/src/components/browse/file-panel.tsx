"use client";
import { MISS_REASONS, type MissReason } from "@ringlight/core";
import {
  CopyCommand,
  DataTable,
  ErrorState,
  formatAge,
  formatLatency,
  formatMoment,
  formatPercent,
  formatSize,
  formatTime,
  Icon,
  LoadingState,
  NOTHING,
  Panel,
  PartialNote,
  Swatch,
  workerColours,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { type ReactNode, useMemo } from "react";
import { getJson } from "../../state/fetch-json.ts";
import { useCluster, useLive } from "../../state/live.tsx";
import { shellWord } from "../../state/shell-word.ts";
import type { ErrorBody, FileDetail } from "../../wire.ts";
import { PageMap } from "./page-map.tsx";

/** One file: where it lives, what of it is cached, and what its last reads met. */
export function FilePanel({ path, onClose }: { path: string; onClose: () => void }) {
  const { snapshot } = useCluster();
  const { paused } = useLive();
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const query = useQuery<FileDetail, ErrorBody>({
    queryKey: ["file", path],
    queryFn: ({ signal }) => getJson(`/api/file?${new URLSearchParams({ path })}`, signal),
    refetchInterval: paused ? false : 3000,
  });
  const file = query.data;
  const name = path.split("/").pop() || path;
  return (
    <Panel
      title={name}
      actions={
        <>
          {file ? <PartialNote answered={file.answered} asked={file.asked} /> : null}
          <button type="button" className="rl-icon-button" aria-label="Close the file" onClick={onClose}>
            <Icon name="close" />
          </button>
        </>
      }
    >
      {query.error && !file ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !file ? (
        <LoadingState what={name} rows={6} />
      ) : (
        <div className="space-y-5 text-[13px]" data-testid="file-detail">
          <section aria-label="Cached" className="space-y-2">
            <div className="flex items-baseline gap-2">
              <span className="text-2xl font-semibold tracking-tight tabular-nums">
                {formatPercent(file.sizeBytes === 0 ? 1 : file.cachedBytes / file.sizeBytes)}
              </span>
              <span className="text-muted">
                cached: {formatSize(file.cachedBytes)} of {formatSize(file.sizeBytes)}
              </span>
            </div>
            <PageMap file={file} colours={colours} />
            {file.nextMissReason ? <NextMiss reason={file.nextMissReason} /> : null}
          </section>
          <Part title="Placement">
            <ul className="space-y-1">
              {file.segments.slice(0, 8).map((segment) => (
                <li key={segment.segment} className="flex flex-wrap items-center gap-x-3 gap-y-1">
                  <span className="text-muted tabular-nums">
                    segment {segment.segment} · arc {segment.arc}
                  </span>
                  {segment.owners.map((id, index) => (
                    <span key={id} className="inline-flex items-center gap-1.5">
                      <Swatch colour={colours.get(id) ?? "var(--rl-subtle)"} />
                      <span className={index === 0 ? "font-medium" : "text-muted"}>{id}</span>
                    </span>
                  ))}
                </li>
              ))}
              {file.segments.length > 8 ? (
                <li className="text-subtle">and {file.segments.length - 8} more segments</li>
              ) : null}
            </ul>
            <Link className="rl-link mt-1.5 inline-block" href={`/ring?${new URLSearchParams({ path })}`}>
              Show on the ring
            </Link>
          </Part>
          <Part title="Metadata">
            <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
              <Fact name="UFS" value={file.ufsUri} mono />
              <Fact name="Version" value={file.version} mono />
              <Fact name="Modified" value={formatMoment(file.modifiedMs)} />
              <Fact name="Type" value={file.contentType || NOTHING} />
              <Fact
                name="Checked"
                value={file.metadataAgeMs < 0 ? "just now" : `${formatAge(file.metadataAgeMs)} ago, by the owner`}
              />
              {Object.entries(file.userMetadata).map(([key, value]) => (
                <Fact key={key} name={key} value={value} />
              ))}
            </dl>
          </Part>
          <Part title="Last reads">
            {file.accesses.length === 0 ? (
              <p className="text-muted">No worker remembers a read of this file.</p>
            ) : (
              <Accesses file={file} />
            )}
          </Part>
          <Link className="rl-link inline-block" href={`/explain?${new URLSearchParams({ path })}`}>
            Explain: owners by epoch, reads and traces
          </Link>
          <div className="space-y-2">
            <CopyCommand command={`ringlight explain ${shellWord(path)}`} />
            <CopyCommand command={`ringlight cat ${shellWord(path)} > ${shellWord(name)}`} />
          </div>
        </div>
      )}
    </Panel>
  );
}

function NextMiss({ reason }: { reason: string }) {
  const info = MISS_REASONS[reason as MissReason];
  return (
    <p className="rounded-md bg-raised px-3 py-2 text-muted">
      <span className="font-medium text-text">A read of a page that is not cached would miss: {reason}.</span>{" "}
      {info ? `${info.sentence} ${info.remedy}` : ""}
    </p>
  );
}

function Accesses({ file }: { file: FileDetail }) {
  return (
    <div className="-mx-4">
      <DataTable
        caption="Last reads of the file, newest first"
        maxHeight={240}
        rows={file.accesses.map((access, index) => ({ ...access, index }))}
        rowKey={(row) => String(row.index)}
        columns={[
          { id: "at", title: "At", cell: (row) => <span className="tabular-nums">{formatTime(row.atMs)}</span> },
          {
            id: "outcome",
            title: "Outcome",
            cell: (row) => (
              <span className={row.outcome === "miss" ? "text-warn" : ""}>
                {row.outcome} {row.outcome === "miss" ? row.missReason : row.tier}
              </span>
            ),
          },
          { id: "bytes", title: "Bytes", numeric: true, cell: (row) => formatSize(row.length) },
          { id: "took", title: "Took", numeric: true, cell: (row) => formatLatency(row.durationMs / 1000) },
          { id: "worker", title: "Worker", cell: (row) => <span className="whitespace-nowrap">{row.workerId}</span> },
        ]}
      />
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3 className="mb-1.5 text-xs font-medium text-muted">{title}</h3>
      {children}
    </section>
  );
}

function Fact({ name, value, mono = false }: { name: string; value: string; mono?: boolean }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className={`min-w-0 break-all ${mono ? "font-mono text-xs leading-5" : ""}`}>{value}</dd>
    </>
  );
}

"use client";
/** The panels of an explanation. */
import { EVICTED_BY_RULE, MISS_REASONS, type MissReason, parsePath, segmentKey } from "@ringlight/core";
import { buildRing } from "@ringlight/ring";
import {
  DataTable,
  EmptyState,
  formatAge,
  formatLatency,
  formatMoment,
  formatPercent,
  formatSize,
  Icon,
  NOTHING,
  Panel,
  Swatch,
  workerColours,
} from "@ringlight/ui";
import Link from "next/link";
import { type ReactNode, useMemo } from "react";
import { browseHref } from "../../state/browse-href.ts";
import { useEpochs } from "../../state/epochs.ts";
import { useCluster } from "../../state/live.tsx";
import type { FileDetail } from "../../wire.ts";
import type { AccessView, ExplainView, FoundRead } from "../../wire-explain.ts";
import { PageMap } from "../browse/page-map.tsx";

/** Epochs of which the owners are told. */
const EPOCHS = 8;

const infoOf = (reason: string) => MISS_REASONS[reason as MissReason];

/** "miss (evicted)", "hit (mem)". */
function outcomeText({ outcome, tier, missReason }: AccessView): string {
  if (outcome === "miss") return `miss (${missReason || "?"})`;
  return tier && outcome === "hit" ? `hit (${tier})` : outcome;
}

function Outcome({ access }: { access: AccessView }) {
  const hit = access.outcome === "hit";
  return (
    <span
      className={`inline-flex items-center gap-1.5 font-medium whitespace-nowrap ${hit ? "text-ok" : access.outcome === "miss" ? "text-warn" : "text-text"}`}
      data-testid="outcome"
      data-outcome={access.outcome}
      data-reason={access.missReason}
    >
      <Icon name={hit ? "check" : "warning"} size={13} />
      {outcomeText(access)}
    </span>
  );
}

/** The read that an id led to. */
export function FoundPanel({ found }: { found: FoundRead }) {
  const { access } = found;
  const info = access?.outcome === "miss" ? infoOf(access.missReason) : undefined;
  return (
    <Panel title="This read" hint={<span className="font-mono">{found.traceId}</span>}>
      <div className="space-y-1.5 text-[13px]" data-testid="found-read">
        {access ? (
          <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <Outcome access={access} />
            <span className="tabular-nums">
              {formatSize(access.length)} at byte {access.offset}, {formatLatency(access.durationMs / 1000)}, by{" "}
              {access.workerId}, {formatMoment(access.atMs)}
            </span>
          </p>
        ) : (
          <p className="text-muted">No worker remembers it any more; its trace is stored.</p>
        )}
        {info ? (
          <p>
            {info.sentence} <span className="text-muted">{info.remedy}</span>
          </p>
        ) : null}
        {found.traced ? (
          <Link className="rl-link" href={`/traces/${found.traceId}`}>
            Open its trace
          </Link>
        ) : (
          <p className="text-subtle">No spans were kept of it: it was a fast hit that nobody sampled.</p>
        )}
      </div>
    </Panel>
  );
}

/** What the next read of the path will meet, and why. */
export function NextRead({ file }: { file: FileDetail }) {
  const { nextMissReason: reason, evictedBy } = file;
  const byRule = reason === "evicted" && (evictedBy === "ttl" || evictedBy === "quota");
  const info = reason === "" ? undefined : byRule ? EVICTED_BY_RULE[evictedBy] : infoOf(reason);
  return (
    <section
      aria-label="Next read"
      data-testid="next-read"
      data-reason={reason}
      className={`flex items-start gap-3 rounded-lg border px-4 py-3 text-[13px] ${info ? "border-warn/40 bg-warn-soft" : "border-ok/40 bg-ok-soft"}`}
    >
      <Icon name={info ? "warning" : "check"} size={18} className={`mt-px ${info ? "text-warn" : "text-ok"}`} />
      <div className="space-y-0.5">
        <p className="font-medium text-text">
          {info ? (
            <>
              The next read misses where it is not cached: <code>{reason}</code>
            </>
          ) : (
            "Every page is cached: the next read is a hit."
          )}
        </p>
        {info ? (
          <p className="text-text">
            {info.sentence} <span className="text-muted">{info.remedy}</span>
          </p>
        ) : null}
      </div>
    </section>
  );
}

/** The rules by path that match, what each says, and what that comes to; `ringlight explain` says the same. */
export function Rules({ file }: { file: FileDetail }) {
  return (
    <Panel
      title="Rules by path"
      hint="of ttl, pin and priority the first rule that matches decides; every quota counts"
      actions={
        <Link className="rl-link text-xs" href="/mounts">
          All rules
        </Link>
      }
      flush
    >
      {file.rules.length === 0 ? (
        <EmptyState title="No rule says anything of this path" command="ringlight policy apply rules.yaml">
          Its pages stay as long as there is room and others are asked for less.
        </EmptyState>
      ) : (
        <DataTable
          caption="Rules that match the path"
          rows={file.rules}
          rowKey={({ rule, field }) => `${rule} ${field}`}
          rowProps={({ rule, field, decidedBy }) => ({
            "data-testid": `rule-${rule}-${field}`,
            ...(decidedBy === "" ? {} : { className: "text-subtle" }),
          })}
          columns={[
            {
              id: "rule",
              title: "Rule",
              cell: ({ rule }) => <span className="font-medium whitespace-nowrap">{rule}</span>,
            },
            {
              id: "path",
              title: "Path",
              cell: ({ path }) => <span className="font-mono text-xs break-all">{path}</span>,
            },
            {
              id: "says",
              title: "Says",
              cell: ({ field, value, decidedBy }) => (
                <span className={`whitespace-nowrap ${decidedBy === "" ? "" : "line-through"}`}>
                  {field} {value}
                </span>
              ),
            },
            { id: "means", title: "What that comes to", className: "min-w-64", cell: ({ sentence }) => sentence },
          ]}
        />
      )}
    </Panel>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-all">{children}</dd>
    </div>
  );
}

/** Mount, store, object and version. */
export function Place({ file }: { file: FileDetail }) {
  const { mount, key } = parsePath(file.path);
  return (
    <Panel title="Object">
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 text-[13px]">
        <Fact name="Mount">
          <Link className="rl-link" href="/mounts">
            /{mount}
          </Link>
        </Fact>
        <Fact name="UFS key">
          <span className="font-mono text-xs">{key}</span>
        </Fact>
        <Fact name="UFS">
          <span className="font-mono text-xs">{file.ufsUri}</span>
        </Fact>
        <Fact name="Size">
          <span className="tabular-nums">
            {formatSize(file.sizeBytes)}, {file.pageCount} pages of {formatSize(file.pageBytes)}
          </span>
        </Fact>
        <Fact name="Version">
          <span className="font-mono text-xs">{file.version}</span>
        </Fact>
        <Fact name="Modified">
          <span className="tabular-nums">{formatMoment(file.modifiedMs)}</span>
        </Fact>
        <Fact name="Checked">
          {file.metadataAgeMs < 0 ? "just now" : `${formatAge(file.metadataAgeMs)} ago, by the owner`}
        </Fact>
      </dl>
      <Link className="rl-link mt-3 inline-block text-[13px]" href={browseHref(folderOf(file.path), file.path)}>
        Show in Browse
      </Link>
    </Panel>
  );
}

const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/"));

/** Owners of the first segment now and in the epochs before, by the code that routes. */
export function OwnersByEpoch({ path, file }: { path: string; file: FileDetail }) {
  const { snapshot } = useCluster();
  const epochs = useEpochs(snapshot?.epoch ?? file.epoch);
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const states = new Map(snapshot?.workers.map((worker) => [worker.id, worker.state]));
  const rows = useMemo(() => {
    const { mount, key } = parsePath(path);
    const place = segmentKey(mount, key, 0);
    return (epochs.data?.epochs ?? []).slice(0, EPOCHS).map(({ epoch, members, atMs, cause }) => ({
      epoch,
      atMs,
      cause,
      owners: members.length === 0 ? [] : buildRing(members, { epoch }).owners(place, 3),
    }));
  }, [epochs.data, path]);
  const [segment] = file.segments;
  return (
    <Panel
      title="Owners by epoch"
      hint={segment ? `segment 0 of ${file.segments.length}, arc ${segment.arc}` : undefined}
      actions={
        <Link className="rl-link text-xs" href={`/ring?${new URLSearchParams({ path })}`}>
          Show on the ring
        </Link>
      }
      flush
    >
      <DataTable
        caption="Owners of the path by epoch of the ring, newest first"
        maxHeight={260}
        rows={rows.length > 0 ? rows : [{ epoch: file.epoch, atMs: 0, cause: "", owners: segment?.owners ?? [] }]}
        rowKey={({ epoch }) => String(epoch)}
        columns={[
          { id: "epoch", title: "Epoch", cell: ({ epoch }) => <span className="tabular-nums">{epoch}</span> },
          {
            id: "owners",
            title: "Owners, in order",
            cell: ({ owners, epoch }) => (
              <span className="flex flex-wrap gap-x-3 gap-y-1">
                {owners.map((id, index) => (
                  <span key={id} className="inline-flex items-center gap-1.5 whitespace-nowrap">
                    <Swatch colour={colours.get(id) ?? "var(--rl-subtle)"} hatched={states.get(id) === "down"} />
                    <span className={index === 0 ? "font-medium" : "text-muted"}>{id}</span>
                    {epoch === file.epoch && states.get(id) === "down" ? (
                      <span className="text-xs font-medium text-bad">down</span>
                    ) : null}
                  </span>
                ))}
              </span>
            ),
          },
          {
            id: "at",
            title: "Since",
            numeric: true,
            cell: ({ atMs }) => (atMs > 0 ? formatMoment(atMs) : NOTHING),
          },
          { id: "cause", title: "Cause", cell: ({ cause }) => <span className="text-muted">{cause}</span> },
        ]}
      />
    </Panel>
  );
}

/** Which pages lie where. */
export function CachedPages({ file }: { file: FileDetail }) {
  const { snapshot } = useCluster();
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const share = file.sizeBytes === 0 ? 1 : file.cachedBytes / file.sizeBytes;
  return (
    <Panel
      title="Cached pages"
      hint={`${formatPercent(share)}: ${formatSize(file.cachedBytes)} of ${formatSize(file.sizeBytes)}`}
    >
      <div data-testid="cached-share" data-value={share}>
        <PageMap file={file} colours={colours} />
      </div>
    </Panel>
  );
}

/** The last reads that workers remember. */
export function Accesses({ file, highlight }: { file: FileDetail; highlight?: string | undefined }) {
  return (
    <Panel title="Last reads" hint="newest first, as the workers remember them" flush>
      {file.accesses.length === 0 ? (
        <EmptyState
          title="No worker remembers a read of this path"
          command={`ringlight cat ${file.path} > /dev/null`}
        />
      ) : (
        <DataTable
          caption="Last reads of the path"
          maxHeight={360}
          rows={file.accesses}
          rowKey={(access) => `${access.workerId} ${access.atMs} ${access.offset} ${access.traceId}`}
          rowProps={(access) => (access.traceId === highlight ? { className: "bg-accent-soft" } : {})}
          columns={[
            {
              id: "at",
              title: "When",
              cell: ({ atMs }) => <span className="whitespace-nowrap tabular-nums">{formatMoment(atMs)}</span>,
            },
            { id: "outcome", title: "Outcome", cell: (access) => <Outcome access={access} /> },
            {
              id: "why",
              title: "Why",
              className: "min-w-48",
              cell: ({ outcome, missReason }) => (
                <span className="text-muted">
                  {outcome === "miss" ? (infoOf(missReason)?.sentence ?? NOTHING) : NOTHING}
                </span>
              ),
            },
            {
              id: "worker",
              title: "Worker",
              cell: ({ workerId }) => <span className="whitespace-nowrap">{workerId}</span>,
            },
            {
              id: "range",
              title: "Range",
              numeric: true,
              cell: ({ offset, length }) => `${formatSize(length)} at ${offset}`,
            },
            { id: "took", title: "Took", numeric: true, cell: ({ durationMs }) => formatLatency(durationMs / 1000) },
            {
              id: "trace",
              title: "Trace",
              cell: ({ traceId }) =>
                traceId ? (
                  <Link className="rl-link font-mono text-xs" href={`/traces/${traceId}`}>
                    {traceId.slice(0, 8)}
                  </Link>
                ) : (
                  NOTHING
                ),
            },
          ]}
        />
      )}
    </Panel>
  );
}

/** Stored traces of the path. */
export function StoredTraces({ view }: { view: ExplainView }) {
  return (
    <Panel
      title="Traces of this path"
      hint="reads that missed, were slow, failed or were sampled"
      actions={
        <Link className="rl-link text-xs" href={`/traces?${new URLSearchParams({ path: view.pathHash })}`}>
          Search
        </Link>
      }
      flush
    >
      {view.traces.length === 0 ? (
        <EmptyState title="No trace of this path is stored" />
      ) : (
        <DataTable
          caption="Stored traces of the path"
          maxHeight={300}
          rows={view.traces}
          rowKey={({ traceId }) => traceId}
          columns={[
            {
              id: "name",
              title: "Trace",
              cell: ({ traceId, name }) => (
                <Link className="rl-link" href={`/traces/${traceId}`}>
                  {name} <span className="font-mono text-xs text-subtle">{traceId.slice(0, 8)}</span>
                </Link>
              ),
            },
            {
              id: "at",
              title: "Began",
              cell: ({ startMs }) => <span className="tabular-nums">{formatMoment(startMs)}</span>,
            },
            {
              id: "outcome",
              title: "Outcome",
              cell: ({ outcome, missReason }) =>
                outcome ? `${outcome}${missReason ? ` (${missReason})` : ""}` : NOTHING,
            },
            { id: "spans", title: "Spans", numeric: true, cell: ({ spanCount }) => spanCount },
            { id: "took", title: "Took", numeric: true, cell: ({ durationMs }) => formatLatency(durationMs / 1000) },
          ]}
        />
      )}
    </Panel>
  );
}

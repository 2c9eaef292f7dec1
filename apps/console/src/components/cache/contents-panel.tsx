"use client";
import type { Contents } from "@ringlight/client";
import {
  DataAge,
  DataTable,
  EmptyState,
  ErrorState,
  formatAge,
  formatCount,
  formatPercent,
  formatSize,
  Icon,
  LoadingState,
  NOTHING,
  Panel,
  PartialNote,
  StackBar,
  Swatch,
  tierColour,
  treemap,
  workerColour,
} from "@ringlight/ui";
import type { UseQueryResult } from "@tanstack/react-query";
import Link from "next/link";
import { useNow } from "../../state/live.tsx";
import { useUrlSet } from "../../state/url-state.ts";
import type { ErrorBody } from "../../wire.ts";
import { csvField, saveFile } from "../chart-export.ts";

/** Cells of the map; smaller ones are summed up as one. */
const CELLS = 60;
const HEIGHT_PX = 260;
const ASPECT = 3;

interface Cell {
  readonly path: string;
  readonly bytes: number;
}

/** What is in the cache: by path as a map to walk through, by age and by use. */
export function ContentsPanel({
  query,
  prefix,
  onPrefix,
}: {
  query: UseQueryResult<Contents, ErrorBody>;
  prefix: string;
  onPrefix: (prefix: string) => void;
}) {
  const contents = query.data;
  const now = useNow(1000);
  const [tables, toggle] = useUrlSet("tables");
  const asTable = tables.has("contents");
  const below = contents ? contents.paths.reduce((sum, { bytes }) => sum + bytes, contents.otherBytes) : undefined;
  return (
    <Panel
      title="What is in the cache"
      hint={below === undefined ? undefined : `${formatSize(below)} below ${prefix}`}
      actions={
        <>
          {contents ? <PartialNote answered={contents.answered} asked={contents.workers} /> : null}
          {contents ? (
            <DataAge ageMs={now === undefined ? undefined : now - query.dataUpdatedAt} staleAfterMs={20_000} />
          ) : null}
          <button
            type="button"
            className="rl-icon-button"
            aria-pressed={asTable}
            aria-label={`What is in the cache: show as ${asTable ? "map" : "table"}`}
            title={asTable ? "Show as map" : "Show as table"}
            onClick={() => toggle("contents")}
          >
            <Icon name={asTable ? "chart" : "table"} size={15} />
          </button>
          <button
            type="button"
            className="rl-icon-button"
            aria-label="What is in the cache: save as CSV"
            title="Save as CSV"
            disabled={!contents}
            onClick={() => contents && saveFile("ringlight-contents.csv", toCsv(contents), "text/csv")}
          >
            <Icon name="download" size={15} />
          </button>
        </>
      }
    >
      <Crumbs prefix={prefix} onPrefix={onPrefix} />
      {query.error && !contents ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !contents ? (
        <LoadingState what="what is cached" rows={6} />
      ) : (
        <div className="space-y-5">
          {below === 0 ? (
            <EmptyState
              title={prefix === "/" ? "Nothing is cached yet" : `Nothing is cached below ${prefix}`}
              command={prefix === "/" ? "ringlight load /<mount>" : `ringlight load ${prefix}`}
            >
              A page is cached when it is read for the first time, or loaded before.
            </EmptyState>
          ) : asTable ? (
            <PathTable contents={contents} total={below ?? 0} onPrefix={onPrefix} />
          ) : (
            <PathMap contents={contents} prefix={prefix} onPrefix={onPrefix} />
          )}
          {contents.unnamedBytes > 0 ? (
            <p className="text-xs text-subtle">
              {formatSize(contents.unnamedBytes)} are of objects whose path is not known any more.
            </p>
          ) : null}
          <div className="grid gap-x-8 gap-y-4 lg:grid-cols-2">
            <Bands contents={contents} kind="ages" title="By age" text={ageText} />
            <Bands contents={contents} kind="uses" title="By heat" text={usesText} />
          </div>
        </div>
      )}
    </Panel>
  );
}

function Crumbs({ prefix, onPrefix }: { prefix: string; onPrefix: (prefix: string) => void }) {
  const parts = prefix.split("/").filter(Boolean);
  return (
    <nav aria-label="Folder" className="mb-2 flex flex-wrap items-center gap-1 font-mono text-xs text-muted">
      <button type="button" className="rl-link" onClick={() => onPrefix("/")} disabled={parts.length === 0}>
        all mounts
      </button>
      {parts.map((part, index) => (
        <span key={parts.slice(0, index + 1).join("/")} className="flex items-center gap-1">
          <span aria-hidden="true">/</span>
          {index === parts.length - 1 ? (
            <span className="text-text">{part}</span>
          ) : (
            <button
              type="button"
              className="rl-link"
              onClick={() => onPrefix(`/${parts.slice(0, index + 1).join("/")}/`)}
            >
              {part}
            </button>
          )}
        </span>
      ))}
    </nav>
  );
}

/** What is behind the prefix; the prefix is named above the map. */
const nameOf = (path: string, prefix: string) =>
  path.slice(prefix === "/" ? 1 : prefix.replace(/\/?$/, "/").length).replace(/\/$/, "");
const explainHref = (path: string) => `/explain?${new URLSearchParams({ path })}`;

/** Cells by bytes; a folder opens, a file is explained. */
function PathMap({
  contents,
  prefix,
  onPrefix,
}: {
  contents: Contents;
  prefix: string;
  onPrefix: (prefix: string) => void;
}) {
  const shown: Cell[] = contents.paths.slice(0, CELLS);
  const rest = contents.paths.slice(CELLS).reduce((sum, { bytes }) => sum + bytes, contents.otherBytes);
  if (rest > 0) shown.push({ path: "", bytes: rest });
  const total = shown.reduce((sum, { bytes }) => sum + bytes, 0);
  const cells = treemap(shown, ({ bytes }) => bytes, ASPECT);
  return (
    <ul
      aria-label="Cached bytes by path"
      className="relative w-full overflow-hidden rounded-md"
      style={{ height: HEIGHT_PX }}
      data-testid="treemap"
    >
      {cells.map(({ item, x, y, width, height }, index) => {
        const roomy = width > 0.07 && height > 0.12;
        const words = `${item.path === "" ? "everything else" : item.path}: ${formatSize(item.bytes)}, ${formatPercent(item.bytes / total)}`;
        const style = {
          background: `color-mix(in oklab, ${item.path === "" ? "var(--rl-tier-other)" : workerColour(index % 12)} 24%, var(--rl-surface))`,
        };
        // What is read out is what is seen, and more of it.
        const inner = roomy ? (
          <>
            <span className="truncate text-xs font-medium text-text">
              {item.path === "" ? "other" : nameOf(item.path, prefix)}
            </span>{" "}
            <span className="truncate text-[11px] text-muted tabular-nums">{formatSize(item.bytes)}</span>
          </>
        ) : (
          <span className="sr-only">{words}</span>
        );
        const className =
          "flex size-full flex-col overflow-hidden rounded-[3px] px-1.5 py-1 text-left hover:brightness-95 dark:hover:brightness-125";
        return (
          <li
            key={item.path}
            className="absolute p-px"
            style={{ left: `${x * 100}%`, top: `${y * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` }}
          >
            {item.path === "" ? (
              <div className={className} style={style} title={words}>
                {inner}
              </div>
            ) : item.path.endsWith("/") ? (
              <button
                type="button"
                className={className}
                style={style}
                title={`${words}. Look into it`}
                onClick={() => onPrefix(item.path)}
              >
                {inner}
              </button>
            ) : (
              <Link className={className} style={style} title={`${words}. Explain it`} href={explainHref(item.path)}>
                {inner}
              </Link>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function PathTable({
  contents,
  total,
  onPrefix,
}: {
  contents: Contents;
  total: number;
  onPrefix: (prefix: string) => void;
}) {
  return (
    <DataTable
      caption="Cached bytes by path"
      maxHeight={HEIGHT_PX}
      rows={contents.paths}
      rowKey={({ path }) => path}
      columns={[
        {
          id: "path",
          title: "Path",
          cell: ({ path }) =>
            path.endsWith("/") ? (
              <button type="button" className="rl-link font-mono text-xs" onClick={() => onPrefix(path)}>
                {path}
              </button>
            ) : (
              <Link className="rl-link font-mono text-xs" href={explainHref(path)}>
                {path}
              </Link>
            ),
        },
        { id: "bytes", title: "Bytes", numeric: true, cell: ({ bytes }) => formatSize(bytes) },
        {
          id: "share",
          title: "Share",
          numeric: true,
          cell: ({ bytes }) => formatPercent(total > 0 ? bytes / total : undefined),
        },
        { id: "pages", title: "Pages", numeric: true, cell: ({ pages }) => formatCount(pages) },
        { id: "objects", title: "Objects", numeric: true, cell: ({ objects }) => formatCount(objects) },
      ]}
    />
  );
}

/** Pages of all tiers by band, a stacked bar a band. */
function Bands({
  contents,
  kind,
  title,
  text,
}: {
  contents: Contents;
  kind: "ages" | "uses";
  title: string;
  text: (from: number, to: number) => string;
}) {
  const froms = [...new Set(contents.tiers.flatMap((tier) => tier[kind].map(({ from }) => from)))].sort(
    (a, b) => a - b,
  );
  const rows = froms
    .map((from) => {
      const parts = contents.tiers.map((tier) => ({
        name: tier.name,
        band: tier[kind].find((band) => band.from === from),
      }));
      const to = parts.find(({ band }) => band)?.band?.to ?? 0;
      const bytes = parts.reduce((sum, { band }) => sum + (band?.bytes ?? 0), 0);
      const pages = parts.reduce((sum, { band }) => sum + (band?.pages ?? 0), 0);
      return { from, to, bytes, pages, parts };
    })
    .filter(({ pages }) => pages > 0);
  const total = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  const most = Math.max(1, ...rows.map(({ bytes }) => bytes));
  return (
    <section aria-label={title} className="min-w-0">
      <h3 className="mb-1 flex items-baseline gap-3 text-xs font-medium text-muted">
        {title}
        {contents.tiers.map(({ name }) => (
          <span key={name} className="inline-flex items-center gap-1 font-normal">
            <Swatch colour={tierColour(name)} />
            {name}
          </span>
        ))}
      </h3>
      {rows.length === 0 ? (
        <p className="text-[13px] text-subtle">{NOTHING}</p>
      ) : (
        <DataTable
          caption={`${title}: pages of each tier`}
          compact
          rows={rows}
          rowKey={({ from }) => String(from)}
          columns={[
            {
              id: "band",
              title: kind === "ages" ? "Came" : "Used",
              cell: ({ from, to }) => <span className="whitespace-nowrap">{text(from, to)}</span>,
            },
            {
              id: "bar",
              title: <span className="sr-only">Split</span>,
              className: "w-1/2 min-w-24",
              cell: ({ parts, bytes, from, to }) => (
                <div style={{ width: `${Math.max(2, (bytes / most) * 100)}%` }}>
                  <StackBar
                    label={text(from, to)}
                    parts={parts.map(({ name, band }) => ({ name, value: band?.bytes ?? 0, colour: tierColour(name) }))}
                    format={formatSize}
                  />
                </div>
              ),
            },
            { id: "pages", title: "Pages", numeric: true, cell: ({ pages }) => formatCount(pages) },
            { id: "bytes", title: "Bytes", numeric: true, cell: ({ bytes }) => formatSize(bytes) },
            {
              id: "share",
              title: "Share",
              numeric: true,
              cell: ({ bytes }) => formatPercent(total > 0 ? bytes / total : undefined, 0),
            },
          ]}
        />
      )}
    </section>
  );
}

function ageText(from: number, to: number): string {
  if (from < 0) return "before the worker's start";
  if (from === 0) return `less than ${formatAge(to)} ago`;
  return to === 0 ? `over ${formatAge(from)} ago` : `${formatAge(from)} to ${formatAge(to)} ago`;
}

function usesText(from: number, to: number): string {
  if (from === 0) return "never since it came";
  if (to === from + 1) return from === 1 ? "once" : `${from} times`;
  return to === 0 ? `${from} times or more` : `${from} to ${to - 1} times`;
}

function toCsv(contents: Contents): string {
  const rows = contents.paths.map(({ path, bytes, pages, objects }) =>
    [path, bytes, pages, objects].map(csvField).join(","),
  );
  return `${["path,bytes,pages,objects", ...rows].join("\r\n")}\r\n`;
}

"use client";
import type { MissRatioCurve } from "@ringlight/client";
import {
  CopyCommand,
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
  Panel,
  PartialNote,
  tierColour,
} from "@ringlight/ui";
import type { UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";
import { useNow } from "../../state/live.tsx";
import { useUrlSet } from "../../state/url-state.ts";
import type { ErrorBody } from "../../wire.ts";
import { csvField, saveFile } from "../chart-export.ts";

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 44;
const BOTTOM = 26;
const TOP = 10;

/** The miss-ratio curve: the answer in words, the curve, and what half, twice and four times of each tier would do. */
export function CurvePanel({ query }: { query: UseQueryResult<MissRatioCurve, ErrorBody> }) {
  const curve = query.data;
  const now = useNow(1000);
  const [tables, toggle] = useUrlSet("tables");
  const asTable = tables.has("curve");
  return (
    <Panel
      title="What another size would do"
      hint="miss-ratio curve"
      actions={
        <>
          {curve ? <PartialNote answered={curve.answered} asked={curve.workers} /> : null}
          {curve ? (
            <DataAge ageMs={now === undefined ? undefined : now - query.dataUpdatedAt} staleAfterMs={20_000} />
          ) : null}
          <button
            type="button"
            className="rl-icon-button"
            aria-pressed={asTable}
            aria-label={`What another size would do: show as ${asTable ? "chart" : "table"}`}
            title={asTable ? "Show as chart" : "Show as table"}
            onClick={() => toggle("curve")}
          >
            <Icon name={asTable ? "chart" : "table"} size={15} />
          </button>
          <button
            type="button"
            className="rl-icon-button"
            aria-label="What another size would do: save as CSV"
            title="Save as CSV"
            disabled={!curve}
            onClick={() => curve && saveFile("ringlight-miss-ratio.csv", toCsv(curve), "text/csv")}
          >
            <Icon name="download" size={15} />
          </button>
        </>
      }
    >
      {query.error && !curve ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !curve ? (
        <LoadingState what="the miss-ratio curve" rows={5} />
      ) : curve.requests === 0 ? (
        <EmptyState title="No page was asked for yet" command="ringlight cache --mrc">
          The curve is drawn from the reads of the last hours: it appears with the first of them.
        </EmptyState>
      ) : (
        <div className="space-y-3">
          <p className="max-w-prose text-[15px] leading-6 font-medium text-text" data-testid="curve-advice">
            {curve.advice ??
              `Too little was read to say what another size would do: ${formatCount(curve.requests)} page requests so far.`}
          </p>
          <div className="grid gap-x-8 gap-y-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            {asTable ? <CurveTable curve={curve} /> : <Curve curve={curve} />}
            <Changes curve={curve} />
          </div>
          <p className="text-xs text-subtle">
            For an LRU cache, from {formatCount(curve.requests)} page requests
            {now === undefined ? "" : ` of the last ${formatAge(now - curve.sinceMs)}`};{" "}
            {formatPercent(curve.sampleRate)} of the pages are sampled. The policies in use keep up with LRU or do
            better.
          </p>
          <CopyCommand command="ringlight cache --mrc" />
        </div>
      )}
    </Panel>
  );
}

/** The curve over the size, which grows to the right by doublings. */
function Curve({ curve }: { curve: MissRatioCurve }) {
  const { points } = curve;
  const nowAt = Math.max(
    0,
    points.findIndex(({ scale }) => scale >= 1),
  );
  const [at, setAt] = useState<number | undefined>();
  const shown = points[at ?? nowAt];
  const x = (index: number) => LEFT + (index / Math.max(1, points.length - 1)) * (WIDTH - LEFT - 8);
  const y = (ratio: number) => TOP + (1 - ratio) * (HEIGHT - TOP - BOTTOM);
  const line = points
    .map(({ hitRatio }, index) => `${index === 0 ? "M" : "L"}${x(index).toFixed(1)},${y(hitRatio).toFixed(1)}`)
    .join("");
  const move = (next: number) => setAt(Math.max(0, Math.min(points.length - 1, next)));
  return (
    <div className="min-w-0">
      <div
        role="slider"
        tabIndex={0}
        aria-label="Chart: hit rate by size of the cache"
        aria-valuemin={0}
        aria-valuemax={points.length - 1}
        aria-valuenow={at ?? nowAt}
        aria-valuetext={shown ? `${formatSize(shown.bytes)}: hit rate ${formatPercent(shown.hitRatio)}` : ""}
        title="Arrow keys read the curve"
        onBlur={() => setAt(undefined)}
        onKeyDown={(event) => {
          const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: 8, PageDown: -8 };
          const step = steps[event.key];
          if (event.key === "Home") move(0);
          else if (event.key === "End") move(points.length - 1);
          else if (event.key === "Escape") setAt(undefined);
          else if (step !== undefined) move((at ?? nowAt) + step);
          else return;
          event.preventDefault();
        }}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const left = ((event.clientX - box.left) / box.width) * WIDTH;
          move(Math.round(((left - LEFT) / (WIDTH - LEFT - 8)) * (points.length - 1)));
        }}
        onPointerLeave={() => setAt(undefined)}
      >
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" className="block w-full text-[11px]">
          {[0, 0.25, 0.5, 0.75, 1].map((ratio) => (
            <g key={ratio}>
              <line x1={LEFT} x2={WIDTH - 8} y1={y(ratio)} y2={y(ratio)} stroke="var(--rl-line)" />
              <text x={LEFT - 8} y={y(ratio) + 4} textAnchor="end" fill="var(--rl-subtle)">
                {ratio * 100} %
              </text>
            </g>
          ))}
          {points.map(({ scale, bytes }, index) =>
            Number.isInteger(Math.log2(scale)) && Math.log2(scale) % 2 !== 0 ? (
              <text
                key={scale}
                x={x(index)}
                y={HEIGHT - 8}
                textAnchor={index === 0 ? "start" : index === points.length - 1 ? "end" : "middle"}
                fill="var(--rl-subtle)"
              >
                {formatSize(bytes)}
              </text>
            ) : null,
          )}
          <path
            d={`${line}L${x(points.length - 1)},${y(0)}L${x(0)},${y(0)}Z`}
            fill="var(--rl-tier-mem)"
            opacity={0.1}
          />
          <path d={line} fill="none" stroke="var(--rl-tier-mem)" strokeWidth={2} strokeLinejoin="round" />
          <line
            x1={x(nowAt)}
            x2={x(nowAt)}
            y1={TOP}
            y2={HEIGHT - BOTTOM}
            stroke="var(--rl-subtle)"
            strokeDasharray="3 3"
          />
          <text x={x(nowAt) + 6} y={TOP + 10} fill="var(--rl-muted)">
            now
          </text>
          {shown ? (
            <circle
              cx={x(at ?? nowAt)}
              cy={y(shown.hitRatio)}
              r={4.5}
              fill="var(--rl-surface)"
              stroke="var(--rl-tier-mem)"
              strokeWidth={2}
            />
          ) : null}
        </svg>
      </div>
      {shown ? (
        <p className="text-xs text-muted tabular-nums">
          {at === undefined ? "Now" : `${Number(shown.scale.toFixed(2))} times`}: {formatSize(shown.bytes)}, hit rate{" "}
          <span className="font-medium text-text" data-testid="curve-now">
            {formatPercent(shown.hitRatio)}
          </span>
        </p>
      ) : null}
    </div>
  );
}

function CurveTable({ curve }: { curve: MissRatioCurve }) {
  return (
    <DataTable
      caption="Hit rate by size of the cache"
      maxHeight={HEIGHT}
      rows={curve.points}
      rowKey={({ scale }) => String(scale)}
      columns={[
        {
          id: "scale",
          title: "Times today",
          cell: ({ scale }) => <span className="tabular-nums">{Number(scale.toFixed(3))}</span>,
        },
        { id: "bytes", title: "Size", numeric: true, cell: ({ bytes }) => formatSize(bytes) },
        { id: "ratio", title: "Hit rate", numeric: true, cell: ({ hitRatio }) => formatPercent(hitRatio) },
      ]}
    />
  );
}

const FACTORS: Readonly<Record<string, string>> = { "0.5": "half", "2": "twice", "4": "four times" };

function Changes({ curve }: { curve: MissRatioCurve }) {
  return (
    <DataTable
      caption="Hit rate with half, twice and four times of each tier"
      compact
      rows={curve.changes}
      rowKey={({ tier, factor }) => `${tier} ${factor}`}
      columns={[
        {
          id: "tier",
          title: "Tier",
          cell: ({ tier, factor }) => (
            <span className="inline-flex items-center gap-2">
              <span aria-hidden="true" className="size-2.5 rounded-sm" style={{ background: tierColour(tier) }} />
              {FACTORS[String(factor)] ?? `${factor} times`} the {tier}
            </span>
          ),
        },
        { id: "bytes", title: "Size", numeric: true, cell: ({ bytes }) => formatSize(bytes) },
        { id: "ratio", title: "Hit rate", numeric: true, cell: ({ hitRatio }) => formatPercent(hitRatio) },
        {
          id: "change",
          title: "Change",
          numeric: true,
          cell: ({ hitRatio }) => {
            const points = (hitRatio - curve.hitRatio) * 100;
            return (
              <span className={Math.abs(points) < 0.05 ? "text-subtle" : points > 0 ? "text-ok" : "text-bad"}>
                {points < -0.05 ? "−" : points > 0.05 ? "+" : "±"}
                {Math.abs(points).toFixed(1)} pt
              </span>
            );
          },
        },
      ]}
    />
  );
}

function toCsv(curve: MissRatioCurve): string {
  const rows = curve.points.map(({ scale, bytes, hitRatio }) =>
    [scale, Math.round(bytes), hitRatio].map(csvField).join(","),
  );
  return `${["scale,bytes,hit_ratio", ...rows].join("\r\n")}\r\n`;
}

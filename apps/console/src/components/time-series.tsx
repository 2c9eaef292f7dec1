"use client";
import { DataTable, formatTime, Icon, Panel, resolveColours, Swatch } from "@ringlight/ui";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import { useUrlSet } from "../state/url-state.ts";
import { plotOptions, stackValues } from "./plot-options.ts";

/** One line, or one layer of a stack. */
export interface PlotSeries {
  readonly name: string;
  /** CSS colour. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  /** What it means, shown beside the name on hover. */
  readonly hint?: string;
}

/** What a chart shows. */
export interface TimeSeriesProps {
  /** Names the chart in the URL when its table is shown. */
  readonly id: string;
  readonly title: string;
  readonly hint?: ReactNode;
  /** Seconds since the Unix epoch. */
  readonly times: readonly number[];
  readonly series: readonly PlotSeries[];
  readonly format: (value: number | null | undefined) => string;
  readonly stacked?: boolean;
  /** Upper end of the axis where it is fixed. */
  readonly top?: number;
  /** Steps on the axis in powers of two, for bytes. */
  readonly binary?: boolean;
  /** Shown in place of a chart in which nothing happened. */
  readonly empty?: ReactNode;
  readonly heightPx?: number;
}

/** A chart over time with a legend that reads it, and a table that says the same. */
export function TimeSeries(props: TimeSeriesProps) {
  const { id, title, hint, times, series, format, empty } = props;
  const [tables, toggleTable] = useUrlSet("tables");
  const [hover, setHover] = useState<number | undefined>();
  const asTable = tables.has(id);
  const index = hover !== undefined && hover < times.length ? hover : undefined;
  const reading = (values: readonly (number | null)[]) => (index === undefined ? values.at(-1) : values[index]);
  const nothing = series.every((line) => line.values.every((value) => value === null || value === 0));
  const summary = `${title}, latest: ${series.map((line) => `${line.name} ${format(line.values.at(-1))}`).join(", ")}`;

  return (
    <Panel
      title={title}
      hint={index === undefined ? hint : <span className="tabular-nums">{formatTime((times[index] ?? 0) * 1000)}</span>}
      flush={asTable}
      actions={
        <button
          type="button"
          className="rl-icon-button"
          aria-pressed={asTable}
          aria-label={`${title}: show as ${asTable ? "chart" : "table"}`}
          title={asTable ? "Show as chart" : "Show as table"}
          onClick={() => toggleTable(id)}
        >
          <Icon name={asTable ? "chart" : "table"} size={15} />
        </button>
      }
    >
      {asTable ? (
        <SeriesTable {...props} />
      ) : (
        <>
          <div className="relative">
            <Plot {...props} summary={summary} onHover={setHover} />
            {nothing && empty ? (
              <div className="absolute inset-0 flex items-center justify-center bg-surface/70 text-center text-[13px] text-muted">
                <div className="max-w-full px-4">{empty}</div>
              </div>
            ) : null}
          </div>
          <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs">
            {series.map((line) => (
              <li key={line.name} className="flex min-w-0 items-center gap-1.5" title={line.hint}>
                <Swatch colour={line.colour} />
                <span className="truncate text-muted">{line.name}</span>
                <span className="font-medium whitespace-nowrap text-text tabular-nums">
                  {format(reading(line.values))}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

function SeriesTable({ title, times, series, format, heightPx = 180 }: TimeSeriesProps) {
  const rows = times.map((time, index) => ({ time, index })).reverse();
  return (
    <DataTable
      caption={`${title}, as a table, newest first`}
      maxHeight={heightPx + 28}
      rows={rows}
      rowKey={(row) => String(row.time)}
      columns={[
        {
          id: "time",
          title: "Time",
          cell: (row) => <span className="tabular-nums">{formatTime(row.time * 1000)}</span>,
        },
        ...series.map((line) => ({
          id: line.name,
          title: line.name,
          numeric: true,
          cell: (row: { index: number }) => format(line.values[row.index]),
        })),
      ]}
    />
  );
}

function Plot({
  times,
  series,
  stacked = false,
  top,
  binary = false,
  format,
  heightPx = 180,
  summary,
  onHover,
}: TimeSeriesProps & { summary: string; onHover: (index: number | undefined) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const [theme, setTheme] = useState(0);
  const formatRef = useRef(format);
  formatRef.current = format;
  const hoverRef = useRef(onHover);
  hoverRef.current = onHover;
  const shape = series.map((line) => `${line.name}\t${line.colour}`).join("\n");

  const data = useMemo<uPlot.AlignedData>(() => {
    // A line that is zero throughout would only cover the axis; the legend and the table say it.
    const values = series.map((line) =>
      !stacked && line.values.every((value) => !value) ? line.values.map(() => null) : [...line.values],
    );
    return [[...times], ...(stacked ? stackValues(values) : values)];
  }, [times, series, stacked]);
  const dataRef = useRef(data);
  dataRef.current = data;

  useEffect(() => {
    const repaint = () => setTheme((count) => count + 1);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", repaint);
    const attribute = new MutationObserver(repaint);
    attribute.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      scheme.removeEventListener("change", repaint);
      attribute.disconnect();
    };
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `theme` counts changes of what the tokens resolve to
  useEffect(() => {
    const box = host.current;
    if (!box) return;
    const lines = shape === "" ? [] : shape.split("\n").map((line) => line.split("\t") as [string, string]);
    const tokens = ["var(--rl-line)", "var(--rl-subtle)", ...lines.map(([, colour]) => colour)];
    const [grid, axis, ...colours] = resolveColours(tokens, box);
    const plot = new uPlot(
      plotOptions({
        widthPx: box.clientWidth,
        heightPx,
        names: lines.map(([name]) => name),
        colours: colours,
        grid: grid!,
        axis: axis!,
        font: getComputedStyle(box).fontFamily,
        stacked,
        top,
        binary,
        format: (value) => formatRef.current(value),
        onHover: (index) => hoverRef.current(index),
      }),
      dataRef.current,
      box,
    );
    chart.current = plot;
    const resize = new ResizeObserver(() => {
      if (box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height: heightPx });
    });
    resize.observe(box);
    return () => {
      resize.disconnect();
      plot.destroy();
      chart.current = undefined;
    };
  }, [shape, stacked, top, binary, heightPx, theme]);

  useEffect(() => {
    chart.current?.setData(data);
  }, [data]);

  return (
    <div ref={host} role="img" aria-label={summary} style={{ height: heightPx }} className="w-full overflow-hidden" />
  );
}

"use client";
import { absoluteRange, DataTable, formatTime, Icon, Menu, Panel, Swatch, type TimeWindow } from "@ringlight/ui";
import { type ReactNode, useRef, useState } from "react";
import { useRange } from "../state/time-range.ts";
import { useUrlSet } from "../state/url-state.ts";
import { canvasPng, saveFile, seriesCsv, seriesJson } from "./chart-export.ts";
import { type Exemplar, Plot } from "./plot.tsx";

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
  /** Names the chart in the URL when its table is shown, and the files that it is saved to. */
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
  /** Single requests on the chart, each a link to its trace. */
  readonly exemplars?: readonly Exemplar[];
  /** Takes a window that was drawn with the pointer, or chosen with Shift and the arrows; else the page zooms to it. */
  readonly onWindow?: (window: TimeWindow) => void;
  /** What else the chart's panel offers, before the switch to the table. */
  readonly actions?: ReactNode;
}

/** A chart over time with a legend that reads it, a cursor for the keyboard, a table that says the same, and its files. */
export function TimeSeries(props: TimeSeriesProps) {
  const { id, title, hint, times, series, format, empty } = props;
  const [tables, toggleTable] = useUrlSet("tables");
  const [, setRange] = useRange();
  const [hover, setHover] = useState<number | undefined>();
  const body = useRef<HTMLDivElement>(null);
  const asTable = tables.has(id);
  const index = hover !== undefined && hover < times.length ? hover : undefined;
  const reading = (values: readonly (number | null)[]) => (index === undefined ? values.at(-1) : values[index]);
  const nothing = series.every((line) => line.values.every((value) => value === null || value === 0));

  const files = [
    {
      label: "Save as CSV",
      onSelect: () => saveFile(`ringlight-${id}.csv`, seriesCsv({ times, series }), "text/csv"),
    },
    {
      label: "Save as JSON",
      onSelect: () => saveFile(`ringlight-${id}.json`, seriesJson({ times, series }), "application/json"),
    },
    {
      label: "Save as PNG",
      disabled: asTable,
      onSelect: () => {
        const canvas = body.current?.querySelector("canvas");
        if (!canvas || !body.current) return;
        void canvasPng(canvas, title, body.current).then((blob) => {
          if (blob) saveFile(`ringlight-${id}.png`, blob);
        });
      },
    },
    { label: "Copy link to this view", onSelect: () => void navigator.clipboard?.writeText(window.location.href) },
  ];

  return (
    <Panel
      title={title}
      hint={index === undefined ? hint : <span className="tabular-nums">{formatTime((times[index] ?? 0) * 1000)}</span>}
      flush={asTable}
      actions={
        <div className="flex items-center">
          {props.actions}
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
          <Menu label={`${title}: save`} icon={<Icon name="download" size={15} />} items={files} />
        </div>
      }
    >
      {asTable ? (
        <SeriesTable {...props} />
      ) : (
        <>
          <div className="relative" ref={body}>
            <Plot
              {...props}
              onHover={setHover}
              onWindow={props.onWindow ?? ((window) => setRange(absoluteRange(window)))}
            />
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

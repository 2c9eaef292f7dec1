"use client";
/** The canvas of a chart, its cursor for pointer and keyboard, and the single requests that are marked on it. */
import { formatLatency, formatTime, resolveColours, useTheme } from "@ringlight/ui";
import Link from "next/link";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import { plotOptions, stackValues } from "./plot-options.ts";
import type { TimeSeriesProps } from "./time-series.tsx";

/** One request that stands for the many of its bucket. */
export interface Exemplar {
  /** Seconds since the Unix epoch. */
  readonly timeS: number;
  /** In the unit of the chart's axis. */
  readonly value: number;
  readonly traceId: string;
  /** What it was, for the tooltip: an API and a path. */
  readonly label?: string;
}

/** A shorter window than this cannot be zoomed to. */
const SHORTEST_WINDOW_S = 5;

interface PlacedExemplar {
  readonly exemplar: Exemplar;
  readonly x: number;
  readonly y: number;
}

/** Draws the lines. Arrows move the cursor, with Shift they choose a window, Enter zooms to it, Escape drops it. */
export function Plot({
  title,
  times,
  series,
  stacked = false,
  top,
  binary = false,
  format,
  heightPx = 180,
  exemplars,
  onHover,
  onWindow,
}: TimeSeriesProps & {
  onHover: (index: number | undefined) => void;
  onWindow: (window: { fromMs: number; toMs: number }) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const theme = useTheme();
  const [cursor, setCursor] = useState<number | undefined>();
  const [anchor, setAnchor] = useState<number | undefined>();
  const [placed, setPlaced] = useState<readonly PlacedExemplar[]>([]);
  const refs = useRef({ format, onHover, onWindow, exemplars });
  refs.current = { format, onHover, onWindow, exemplars };
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
    const box = host.current;
    if (!box) return;
    const lines = shape === "" ? [] : shape.split("\n").map((line) => line.split("\t") as [string, string]);
    const tokens = ["var(--rl-line)", "var(--rl-subtle)", ...lines.map(([, colour]) => colour)];
    const [grid, axis, ...colours] = resolveColours(tokens, box, theme);
    const place = (plot: uPlot) => {
      const next = placeExemplars(plot, refs.current.exemplars ?? []);
      setPlaced((known) => (known.length === 0 && next.length === 0 ? known : next));
    };
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
        format: (value) => refs.current.format(value),
        onHover: (index) => refs.current.onHover(index),
        onSelect: (fromS, toS) => {
          if (toS - fromS >= SHORTEST_WINDOW_S) refs.current.onWindow({ fromMs: fromS * 1000, toMs: toS * 1000 });
        },
        onDraw: place,
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
  useEffect(() => {
    if (chart.current) setPlaced(placeExemplars(chart.current, exemplars ?? []));
  }, [exemplars]);

  /** Moves the keyboard's cursor, and the window that it draws with Shift. */
  const moveTo = (index: number, extend: boolean) => {
    const plot = chart.current;
    if (!plot) return;
    const next = Math.max(0, Math.min(times.length - 1, index));
    const start = extend ? (anchor ?? cursor ?? next) : undefined;
    setCursor(next);
    setAnchor(start);
    const left = plot.valToPos(times[next]!, "x");
    plot.setCursor({ left, top: 10 });
    const other = start === undefined ? left : plot.valToPos(times[start]!, "x");
    plot.setSelect(
      { left: Math.min(left, other), width: Math.abs(left - other), top: 0, height: plot.over.clientHeight },
      false,
    );
  };
  const leave = () => {
    setCursor(undefined);
    setAnchor(undefined);
    chart.current?.setCursor({ left: -10, top: -10 });
    chart.current?.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  };
  const onKey = (event: KeyboardEvent) => {
    if (times.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = cursor ?? times.length - 1;
    const page = Math.max(1, Math.round(times.length / 10));
    const target: Readonly<Record<string, number>> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      PageDown: at - page,
      PageUp: at + page,
      Home: 0,
      End: times.length - 1,
    };
    const next = target[event.key];
    if (next !== undefined) moveTo(cursor === undefined && event.key === "ArrowLeft" ? at : next, event.shiftKey);
    else if (event.key === "Enter" && anchor !== undefined && cursor !== undefined) {
      const [from, to] = [times[Math.min(anchor, cursor)]!, times[Math.max(anchor, cursor)]!];
      if (to - from >= SHORTEST_WINDOW_S) onWindow({ fromMs: from * 1000, toMs: to * 1000 });
    } else if (event.key === "Escape" && cursor !== undefined) leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const read = cursor !== undefined && cursor < times.length ? cursor : times.length - 1;
  const words =
    times.length === 0
      ? "nothing measured"
      : `${formatTime((times[read] ?? 0) * 1000)}: ${series
          .map((line) => `${line.name} ${format(line.values[read])}`)
          .join(", ")}`;
  return (
    <div className="relative">
      <div
        ref={host}
        role="slider"
        tabIndex={0}
        aria-label={`Chart: ${title}`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, times.length - 1)}
        aria-valuenow={Math.max(0, read)}
        aria-valuetext={words}
        aria-orientation="horizontal"
        title="Drag to zoom; with the keyboard: arrows read, Shift and arrows choose, Enter zooms"
        style={{ height: heightPx }}
        className="w-full overflow-hidden"
        onKeyDown={onKey}
        onBlur={leave}
      />
      {placed.length > 0 ? (
        <ul aria-label={`${title}: requests with a trace`} className="pointer-events-none absolute inset-0">
          {placed.map(({ exemplar, x, y }) => (
            <li key={exemplar.traceId} className="absolute" style={{ left: x - 7, top: y - 7 }}>
              <Link
                href={`/traces/${exemplar.traceId}`}
                className="group pointer-events-auto flex size-3.5 items-center justify-center"
                data-testid="exemplar"
                aria-label={`Trace of ${exemplar.label ?? "a request"} at ${formatTime(exemplar.timeS * 1000)}`}
                title={`${exemplar.label ?? "A request"}, ${formatTime(exemplar.timeS * 1000)}: ${
                  format(exemplar.value) || formatLatency(exemplar.value)
                }. Open its trace`}
              >
                <span className="size-2 rotate-45 border border-surface bg-text transition-transform group-hover:scale-150" />
              </Link>
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}

/** Where the exemplars lie on the chart, in its own pixels; those outside of it are left out. */
function placeExemplars(plot: uPlot, exemplars: readonly Exemplar[]): PlacedExemplar[] {
  const ratio = window.devicePixelRatio || 1;
  const [left, top] = [plot.bbox.left / ratio, plot.bbox.top / ratio];
  const { min, max } = plot.scales.x ?? {};
  const height = plot.bbox.height / ratio;
  if (min === undefined || max === undefined) return [];
  return exemplars
    .filter(({ timeS }) => timeS >= min && timeS <= max)
    .map((exemplar) => ({
      exemplar,
      x: left + plot.valToPos(exemplar.timeS, "x"),
      y: top + Math.max(0, Math.min(height, plot.valToPos(exemplar.value, "y"))),
    }));
}

"use client";
import type { TraceSummary } from "@ringlight/trace-store";
/** Traces of a search by start and duration: the few slow ones stand apart at a glance, and a click opens one. */
import { formatLatency, formatMoment, formatTime, type TimeWindow } from "@ringlight/ui";
import { useRouter } from "next/navigation";
import { type PointerEvent, useMemo, useRef, useState } from "react";
import { outcomeLook, outcomeOf } from "./outcome.tsx";

const WIDTH = 1000;
const HEIGHT = 190;
const LEFT = 58;
const BOTTOM = 24;
const TOP = 10;
/** A pointer this near to a point means it, in the drawing's units. */
const NEAR = 14;

/** Powers of ten that bound the durations, and the steps between. */
function logScale(traces: readonly TraceSummary[]): { low: number; high: number; ticks: number[] } {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const { durationMs } of traces) {
    low = Math.min(low, Math.max(0.01, durationMs));
    high = Math.max(high, durationMs, 0.1);
  }
  const from = Math.floor(Math.log10(Number.isFinite(low) ? low : 1));
  const to = Math.max(from + 1, Math.ceil(Math.log10(high) + 0.02));
  return { low: from, high: to, ticks: Array.from({ length: to - from + 1 }, (_, step) => 10 ** (from + step)) };
}

/** The plot. Its table twin is the list of results beneath it, so that keyboards and screen readers use that. */
export function DurationScatter({
  traces,
  window: shown,
  hovered,
  onHover,
  onWindow,
}: {
  traces: readonly TraceSummary[];
  window: TimeWindow;
  hovered: string | undefined;
  onHover: (traceId: string | undefined) => void;
  onWindow: (window: TimeWindow) => void;
}) {
  const router = useRouter();
  const svg = useRef<SVGSVGElement>(null);
  const [drag, setDrag] = useState<{ from: number; to: number } | undefined>();
  const scale = useMemo(() => logScale(traces), [traces]);
  const span = Math.max(1, shown.toMs - shown.fromMs);
  const x = (ms: number) => LEFT + ((ms - shown.fromMs) / span) * (WIDTH - LEFT - 8);
  const y = (ms: number) =>
    HEIGHT -
    BOTTOM -
    ((Math.log10(Math.max(0.01, ms)) - scale.low) / (scale.high - scale.low)) * (HEIGHT - BOTTOM - TOP);
  const timeAt = (at: number) => shown.fromMs + ((at - LEFT) / (WIDTH - LEFT - 8)) * span;
  const most = Math.max(1, ...traces.map((trace) => trace.spanCount));
  const place = (event: PointerEvent) => {
    const box = svg.current?.getBoundingClientRect();
    return box
      ? { x: ((event.clientX - box.left) / box.width) * WIDTH, y: ((event.clientY - box.top) / box.height) * HEIGHT }
      : { x: 0, y: 0 };
  };
  const nearest = (at: { x: number; y: number }): TraceSummary | undefined => {
    let best: TraceSummary | undefined;
    let distance = NEAR;
    for (const trace of traces) {
      const gap = Math.hypot(x(trace.startMs) - at.x, y(trace.durationMs) - at.y);
      if (gap < distance) [best, distance] = [trace, gap];
    }
    return best;
  };
  const focus = traces.find((trace) => trace.traceId === hovered);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => shown.fromMs + share * span);
  return (
    <div className="relative">
      <svg
        ref={svg}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Durations of ${traces.length} traces over time; the table below holds the same`}
        className={`w-full touch-pan-y select-none ${focus ? "cursor-pointer" : "cursor-crosshair"}`}
        data-testid="duration-scatter"
        onPointerDown={(event) => {
          const at = place(event);
          if (!nearest(at) && event.button === 0) setDrag({ from: at.x, to: at.x });
        }}
        onPointerMove={(event) => {
          const at = place(event);
          if (drag) setDrag({ ...drag, to: at.x });
          else onHover(nearest(at)?.traceId);
        }}
        onPointerUp={(event) => {
          if (drag && Math.abs(drag.to - drag.from) > 8) {
            onWindow({
              fromMs: timeAt(Math.max(LEFT, Math.min(drag.from, drag.to))),
              toMs: timeAt(Math.max(drag.from, drag.to)),
            });
          } else {
            const trace = nearest(place(event));
            if (trace) router.push(`/traces/${trace.traceId}`);
          }
          setDrag(undefined);
        }}
        onPointerLeave={() => {
          setDrag(undefined);
          onHover(undefined);
        }}
      >
        {scale.ticks.map((tick) => (
          <g key={tick}>
            <line x1={LEFT} x2={WIDTH} y1={y(tick)} y2={y(tick)} stroke="var(--rl-line)" />
            <text
              x={LEFT - 8}
              y={y(tick)}
              textAnchor="end"
              dominantBaseline="central"
              fontSize="11"
              fill="var(--rl-subtle)"
              className="tabular-nums"
            >
              {formatLatency(tick / 1000)}
            </text>
          </g>
        ))}
        {ticks.map((tick, index) => (
          <text
            key={tick}
            x={x(tick)}
            y={HEIGHT - 6}
            textAnchor={index === 0 ? "start" : index === 4 ? "end" : "middle"}
            fontSize="11"
            fill="var(--rl-subtle)"
            className="tabular-nums"
          >
            {span > 36 * 3_600_000 ? formatMoment(tick).slice(5, 16) : formatTime(tick)}
          </text>
        ))}
        {traces.map((trace) => {
          const look = outcomeLook(outcomeOf(trace));
          const [cx, cy] = [x(trace.startMs), y(trace.durationMs)];
          const radius = 3 + 4 * Math.sqrt(trace.spanCount / most);
          const on = trace.traceId === hovered;
          // What failed is a square: its shape says it as well as its colour.
          return trace.errorCount > 0 ? (
            <rect
              key={trace.traceId}
              x={cx - radius}
              y={cy - radius}
              width={2 * radius}
              height={2 * radius}
              fill="var(--rl-bad)"
              fillOpacity={0.75}
              stroke={on ? "var(--rl-text)" : "var(--rl-surface)"}
              strokeWidth={on ? 2 : 1}
            />
          ) : (
            <circle
              key={trace.traceId}
              cx={cx}
              cy={cy}
              r={radius}
              fill={look.colour}
              fillOpacity={0.7}
              stroke={on ? "var(--rl-text)" : "var(--rl-surface)"}
              strokeWidth={on ? 2 : 1}
            />
          );
        })}
        {drag ? (
          <rect
            x={Math.min(drag.from, drag.to)}
            width={Math.abs(drag.to - drag.from)}
            y={TOP}
            height={HEIGHT - BOTTOM - TOP}
            fill="var(--rl-accent)"
            opacity={0.15}
          />
        ) : null}
      </svg>
      {focus ? (
        <div
          role="presentation"
          className="pointer-events-none absolute z-10 rounded-md border border-line bg-overlay px-2.5 py-1.5 text-xs shadow-pop tabular-nums"
          style={{
            left: `${(x(focus.startMs) / WIDTH) * 100}%`,
            top: `${(y(focus.durationMs) / HEIGHT) * 100}%`,
            transform: `translate(${x(focus.startMs) > WIDTH / 2 ? "calc(-100% - 12px)" : "12px"}, -50%)`,
          }}
        >
          <div className="font-medium">{focus.name}</div>
          <div className="text-muted">
            {formatLatency(focus.durationMs / 1000)} · {focus.spanCount} spans · {formatTime(focus.startMs)}
          </div>
          <div className="text-muted">{outcomeLook(outcomeOf(focus)).words(focus)}</div>
        </div>
      ) : null}
    </div>
  );
}

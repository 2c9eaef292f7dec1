"use client";
/** The whole trace in a strip, drawn on a canvas; a drag chooses the part of its time that the waterfall shows. */
import { resolveColours, useTheme } from "@ringlight/ui";
import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import type { TraceModel } from "./trace-model.ts";
import type { TimeSlice } from "./waterfall.tsx";

const HEIGHT = 56;

/** The strip. */
export function Minimap({
  model,
  slice,
  onSlice,
}: {
  model: TraceModel;
  slice: TimeSlice;
  onSlice: (slice: TimeSlice) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [widthPx, setWidth] = useState(0);
  const theme = useTheme();
  const [drag, setDrag] = useState<{ from: number; to: number } | undefined>();
  const services = useMemo(() => [...model.colours.keys()], [model]);

  useEffect(() => {
    const box = canvas.current;
    if (!box) return;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const target = canvas.current;
    const context = target?.getContext("2d");
    if (!target || !context || widthPx === 0) return;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    target.width = widthPx * ratio;
    target.height = HEIGHT * ratio;
    context.scale(ratio, ratio);
    const colours = resolveColours(
      [...services.map((service) => model.colours.get(service)!), "var(--rl-bad)"],
      document.body,
      theme,
    );
    const colourOf = new Map(services.map((service, index) => [service, colours[index]!]));
    const bad = colours.at(-1)!;
    const { nodes, startMs, endMs } = model.tree;
    const whole = Math.max(1e-6, endMs - startMs);
    const rowPx = Math.max(0.5, Math.min(4, (HEIGHT - 4) / nodes.length));
    // Of more spans than pixels each row of pixels shows one in so many, and every one that failed.
    const stride = Math.max(1, Math.floor(nodes.length / ((HEIGHT - 4) * 2)));
    nodes.forEach((node, index) => {
      const failed = node.span.status === "error";
      if (index % stride !== 0 && !failed) return;
      const [red, green, blue] = failed ? bad : (colourOf.get(model.serviceOf(node.span)) ?? [128, 128, 128]);
      context.fillStyle = `rgb(${red} ${green} ${blue} / 85%)`;
      const y = 2 + (index / nodes.length) * (HEIGHT - 4);
      context.fillRect(
        ((node.span.startMs - startMs) / whole) * widthPx,
        y,
        Math.max(1, (node.span.durationMs / whole) * widthPx),
        Math.max(1, rowPx * 0.8),
      );
    });
  }, [model, services, widthPx, theme]);

  const place = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  };
  const shade = drag ?? slice;
  const [from, to] = [Math.min(shade.from, shade.to), Math.max(shade.from, shade.to)];
  return (
    <div
      className="relative cursor-crosshair touch-none overflow-hidden rounded border border-line bg-bg select-none"
      role="img"
      aria-label={`The whole trace, ${model.tree.nodes.length} spans; drag to zoom into a part of its time`}
      data-testid="minimap"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: place(event), to: place(event) });
      }}
      onPointerMove={(event) => {
        if (drag) setDrag({ ...drag, to: place(event) });
      }}
      onPointerUp={() => {
        if (!drag) return;
        setDrag(undefined);
        const [start, end] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
        onSlice(end - start > 0.004 ? { from: start, to: end } : { from: 0, to: 1 });
      }}
    >
      <canvas ref={canvas} className="block w-full" style={{ height: HEIGHT }} />
      <span className="absolute inset-y-0 left-0 bg-bg/70" style={{ width: `${from * 100}%` }} />
      <span className="absolute inset-y-0 right-0 bg-bg/70" style={{ width: `${(1 - to) * 100}%` }} />
    </div>
  );
}

"use client";
import { formatLatency } from "@ringlight/ui";
import type { TraceModel } from "./trace-model.ts";
import type { TimeSlice } from "./waterfall.tsx";

/** Time since the start of the trace, above the bars. */
export function TimeAxis({ model, slice }: { model: TraceModel; slice: TimeSlice }) {
  const whole = model.tree.endMs - model.tree.startMs;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <div className="relative h-6 border-l border-line">
      {ticks.map((tick) => {
        const ms = (slice.from + tick * (slice.to - slice.from)) * whole;
        return (
          <span
            key={tick}
            className="absolute top-1 px-1 whitespace-nowrap tabular-nums"
            style={
              tick === 1
                ? { right: 0 }
                : { left: `${tick * 100}%`, transform: tick === 0 ? undefined : "translateX(-50%)" }
            }
          >
            {ms === 0 ? "0" : formatLatency(ms / 1000)}
          </span>
        );
      })}
    </div>
  );
}

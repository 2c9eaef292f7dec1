"use client";
/** The trace's time by names: each block is all spans of one name below the same others. */
import { type FlameFrame, flameFrames, formatCount, formatLatency, formatPercent, ScrollRegion } from "@ringlight/ui";
import { useMemo, useState } from "react";
import type { TraceModel } from "./trace-model.ts";

const ROW_PX = 22;
/** Narrower blocks than this share of the width would be lines. */
const NARROWEST = 0.0012;

/** The blocks; a click zooms to one, another click opens its longest span. */
export function FlameView({ model, onSelect }: { model: TraceModel; onSelect: (spanId: string) => void }) {
  const frames = useMemo(() => flameFrames(model.tree, model.serviceOf), [model]);
  const [focus, setFocus] = useState<string | undefined>();
  const base = frames.find((frame) => frame.key === focus);
  const [left, width] = base ? [base.left, base.width] : [0, 1];
  const shown = frames.filter((frame) => {
    const share = frame.width / width;
    return share >= NARROWEST && frame.left < left + width - 1e-9 && frame.left + frame.width > left + 1e-9;
  });
  const depth = shown.reduce((deepest, frame) => Math.max(deepest, frame.depth), 0) + 1;
  const whole = frames.filter((frame) => frame.depth === 0).reduce((sum, frame) => sum + frame.totalMs, 0);
  const words = (frame: FlameFrame) =>
    `${frame.name}, ${frame.service}: ${formatCount(frame.count)} ${frame.count === 1 ? "span" : "spans"}, ${formatLatency(
      frame.totalMs / 1000,
    )} in all (${formatPercent(whole > 0 ? frame.totalMs / whole : 0)}), ${formatLatency(frame.selfMs / 1000)} its own`;
  return (
    <div className="px-4 pb-4">
      <p className="mb-2 flex items-center gap-3 text-xs text-subtle">
        Width: time of all spans of a name together; what ran side by side is added up.
        {base ? (
          <button type="button" className="rl-link" onClick={() => setFocus(undefined)}>
            Show all
          </button>
        ) : null}
      </p>
      <ScrollRegion
        label="Flame view"
        className="relative max-h-[62vh] overflow-x-hidden overflow-y-auto"
        data-testid="flame"
      >
        <ul className="relative" style={{ height: depth * ROW_PX }}>
          {shown.map((frame) => {
            const from = Math.max(0, (frame.left - left) / width);
            const to = Math.min(1, (frame.left + frame.width - left) / width);
            const colour = model.colours.get(frame.service) ?? "var(--rl-tier-other)";
            return (
              <li key={frame.key}>
                <button
                  type="button"
                  title={words(frame)}
                  className="absolute overflow-hidden rounded-[3px] border border-surface px-1.5 text-left text-xs leading-5 text-ellipsis whitespace-nowrap text-text hover:brightness-110 focus-visible:outline-offset-[-2px]"
                  style={{
                    left: `${from * 100}%`,
                    width: `${(to - from) * 100}%`,
                    top: frame.depth * ROW_PX,
                    height: ROW_PX,
                    background: `color-mix(in oklab, ${frame.errors > 0 ? "var(--rl-bad)" : colour} 32%, var(--rl-surface))`,
                  }}
                  onClick={() => (focus === frame.key ? onSelect(frame.spanId) : setFocus(frame.key))}
                >
                  {frame.name}
                  {frame.count > 1 ? <span className="text-muted"> ×{formatCount(frame.count)}</span> : null}
                </button>
              </li>
            );
          })}
        </ul>
      </ScrollRegion>
    </div>
  );
}

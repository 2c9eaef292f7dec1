import type { ReactNode } from "react";
import { sparklinePath } from "./sparkline.ts";

/** One number that matters, with its unit, a line beneath that says more, and its recent course. */
export function StatTile({
  label,
  value,
  detail,
  trend,
  colour = "var(--rl-accent)",
  tone = "plain",
  testId,
  exact,
}: {
  label: string;
  value: string;
  detail?: ReactNode;
  /** Recent values, oldest first; undefined and null are gaps. */
  trend?: readonly (number | null)[] | undefined;
  colour?: string;
  tone?: "plain" | "warn" | "bad";
  testId?: string;
  /** The number without rounding, for tools that read the page. */
  exact?: number | undefined;
}) {
  const path = trend ? sparklinePath(trend, 120, 28) : undefined;
  return (
    <div
      className="relative flex min-w-0 flex-col overflow-hidden rounded-lg border border-line bg-surface px-3.5 pt-2.5 pb-2.5 shadow-card"
      data-testid={testId}
      data-value={exact}
    >
      <div className="text-xs text-muted">{label}</div>
      <div
        className={`mt-0.5 truncate text-[22px] leading-7 font-semibold tracking-tight tabular-nums ${
          tone === "bad" ? "text-bad" : tone === "warn" ? "text-warn" : "text-text"
        }`}
      >
        {value}
      </div>
      <div className="mt-0.5 min-h-4 text-xs text-pretty text-subtle tabular-nums">{detail}</div>
      {path ? (
        <svg
          viewBox="0 0 120 28"
          preserveAspectRatio="none"
          aria-hidden="true"
          className="pointer-events-none mt-auto h-6 w-full translate-y-1"
        >
          <path d={path.area} fill={colour} opacity={0.12} />
          <path
            d={path.line}
            fill="none"
            stroke={colour}
            strokeWidth={1.5}
            strokeLinejoin="round"
            vectorEffect="non-scaling-stroke"
          />
        </svg>
      ) : null}
    </div>
  );
}

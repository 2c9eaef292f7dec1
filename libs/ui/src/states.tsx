import type { ReactNode } from "react";
import { CopyCommand } from "./copy-command.tsx";
import { formatAge } from "./format.ts";
import { Icon } from "./icons.tsx";

/** An error as every state shows it. */
export interface ErrorView {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** The request's trace, where the console told it. */
  readonly traceId?: string | undefined;
}

/** The view has nothing to show, and says which command fills it. */
export function EmptyState({
  title,
  children,
  command,
  action,
}: {
  title: string;
  children?: ReactNode;
  command?: string | undefined;
  action?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-10 text-center" data-testid="empty-state">
      <p className="text-sm font-medium text-text">{title}</p>
      {children ? <div className="max-w-prose text-[13px] text-muted">{children}</div> : null}
      {command ? <CopyCommand command={command} /> : null}
      {action}
    </div>
  );
}

/** The view could not be read: code, message, remedy, and another try. */
export function ErrorState({
  error,
  onRetry,
  inset = false,
}: {
  error: ErrorView;
  onRetry?: (() => void) | undefined;
  /** With a margin, within a panel that has none. */
  inset?: boolean;
}) {
  return (
    <div
      role="alert"
      className={`rounded-md border border-bad/40 bg-bad-soft p-4 ${inset ? "m-4" : ""}`}
      data-testid="error-state"
    >
      <div className="flex items-start gap-3">
        <Icon name="error" className="mt-0.5 text-bad" />
        <div className="min-w-0 flex-1 space-y-1 text-[13px]">
          <p className="font-mono text-xs text-bad">{error.code}</p>
          <p className="break-words font-medium text-text">{error.message}</p>
          {error.remedy ? <p className="text-muted">{error.remedy}</p> : null}
          {error.traceId ? (
            <a className="rl-link font-mono text-xs" href={`/traces/${error.traceId}`}>
              Trace {error.traceId.slice(0, 8)}…
            </a>
          ) : null}
        </div>
        {onRetry ? (
          <button type="button" onClick={onRetry} className="rl-button">
            <Icon name="refresh" size={14} />
            Retry
          </button>
        ) : null}
      </div>
    </div>
  );
}

/** Some of those who were asked did not answer. */
export function PartialNote({ answered, asked, what = "workers" }: { answered: number; asked: number; what?: string }) {
  const whole = answered === asked;
  return (
    <span
      className={`inline-flex items-center gap-1 text-xs ${whole ? "text-subtle" : "font-medium text-warn"}`}
      data-testid="answered"
    >
      <Icon name={whole ? "check" : "warning"} size={13} />
      {answered} of {asked} {what} answered
    </span>
  );
}

/** What is shown is old, and how old. */
export function StaleNote({ ageMs, why }: { ageMs: number; why: string }) {
  return (
    <span role="status" className="inline-flex items-center gap-1 text-xs font-medium text-warn" data-testid="stale">
      <Icon name="warning" size={13} />
      {why}; data from {formatAge(ageMs)} ago
    </span>
  );
}

/** How old the numbers of a panel are; in words and colour once they are older than they should be. */
export function DataAge({ ageMs, staleAfterMs = 10_000 }: { ageMs: number | undefined; staleAfterMs?: number }) {
  if (ageMs === undefined) return null;
  const stale = ageMs > staleAfterMs;
  return (
    <span
      data-testid="data-age"
      data-stale={stale}
      className={`inline-flex items-center gap-1 text-xs whitespace-nowrap tabular-nums ${stale ? "font-medium text-warn" : "text-subtle"}`}
      title="Age of what this panel shows"
    >
      <Icon name={stale ? "warning" : "clock"} size={12} />
      {formatAge(ageMs)}
      {stale ? " old" : ""}
    </span>
  );
}

/** A place that will hold something in a moment. */
export function Skeleton({ className = "h-4 w-24" }: { className?: string }) {
  return <span aria-hidden="true" className={`rl-skeleton block rounded bg-raised ${className}`} />;
}

/** A whole view that is being read. */
export function LoadingState({ what, rows = 4 }: { what: string; rows?: number }) {
  return (
    <div role="status" className="space-y-3 p-4">
      <span className="sr-only">Loading {what}…</span>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row.toString()} className={`h-4 ${["w-full", "w-11/12", "w-4/5", "w-10/12"][row % 4]}`} />
      ))}
    </div>
  );
}

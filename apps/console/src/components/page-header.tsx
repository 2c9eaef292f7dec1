"use client";
import { formatAge, Icon } from "@ringlight/ui";
import { type ReactNode, useEffect } from "react";
import { useLive, useNow } from "../state/live.tsx";

/** Title of a page, whether it is live, and what belongs to the whole page. */
export function PageHeader({ title, lead, children }: { title: ReactNode; lead?: ReactNode; children?: ReactNode }) {
  return (
    <div className="mb-4 flex flex-wrap items-center gap-x-4 gap-y-2">
      <div className="min-w-0">
        <h1 className="truncate text-xl font-semibold tracking-tight">{title}</h1>
        {lead ? <div className="text-[13px] text-muted">{lead}</div> : null}
      </div>
      <div className="ml-auto flex flex-wrap items-center gap-x-4 gap-y-2">
        {children}
        <LiveIndicator />
      </div>
    </div>
  );
}

/** Sets the tab's title for pages whose name is known only in the browser. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Ringlight`;
  }, [title]);
}

/** After this long without news the page says so. */
const STALE_MS = 5000;

/** Whether the page is live, how old it is, and the switch that holds it. */
function LiveIndicator() {
  const { link, paused, setPaused, lastMs } = useLive();
  const now = useNow(500);
  const last = lastMs();
  const age = now === undefined || last === 0 ? undefined : now - last;
  const stale = !paused && (link === "lost" || (age !== undefined && age > STALE_MS));
  const words = paused
    ? `paused · ${formatAge(age)} old`
    : stale
      ? `${age === undefined ? "no connection" : `no news for ${formatAge(age)}`} · trying again`
      : age === undefined
        ? "connecting"
        : `live · updated ${formatAge(age)} ago`;
  return (
    <div className="flex items-center gap-1.5">
      <span
        className={`flex items-center gap-2 text-xs tabular-nums ${stale ? "font-medium text-warn" : "text-muted"}`}
        data-testid="live"
        data-state={paused ? "paused" : stale ? "stale" : "live"}
      >
        <span
          aria-hidden="true"
          className={`size-2 ${paused ? "rounded-[2px] bg-subtle" : stale ? "rotate-45 bg-warn" : "rl-beat rounded-full bg-ok"}`}
        />
        {words}
      </span>
      <button
        type="button"
        className="rl-icon-button"
        aria-pressed={paused}
        aria-label={paused ? "Go on with live updates" : "Pause live updates"}
        title={paused ? "Go on (p)" : "Pause (p)"}
        onClick={() => setPaused(!paused)}
      >
        <Icon name={paused ? "play" : "pause"} size={15} />
      </button>
    </div>
  );
}

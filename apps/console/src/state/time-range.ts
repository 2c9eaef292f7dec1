"use client";
/** The page's time range: in the URL, in Grafana's grammar, and the ranges that this browser used last. */
import { resolveRange, type TimeRange, type TimeWindow } from "@ringlight/ui";
import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

const FALLBACK: TimeRange = { from: "now-5m", to: "now" };
const RECENT_KEY = "ringlight.ranges";
const RECENT_KEPT = 6;

/** Ranges that were used last, newest first; none where the browser keeps nothing. */
export function recentRanges(): TimeRange[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? "[]");
    if (!Array.isArray(kept)) return [];
    return kept.filter((range): range is TimeRange => typeof range?.from === "string" && typeof range?.to === "string");
  } catch {
    return [];
  }
}

function remember(range: TimeRange): void {
  const others = recentRanges().filter(({ from, to }) => from !== range.from || to !== range.to);
  try {
    localStorage.setItem(RECENT_KEY, JSON.stringify([range, ...others].slice(0, RECENT_KEPT)));
  } catch {
    // A browser without storage forgets the ranges with the tab.
  }
}

/**
 * The range of the page (`?from=&to=`) and how to change it. A change is a step of the browser's history, so that Back
 * leaves a zoom. What the URL holds is taken only where it can be read; else the fallback stands.
 */
export function useRange(fallback: TimeRange = FALLBACK): [TimeRange, (range: TimeRange) => void] {
  const parameters = useSearchParams();
  const from = parameters.get("from") ?? fallback.from;
  const to = parameters.get("to") ?? (parameters.has("from") ? "now" : fallback.to);
  const range = useMemo<TimeRange>(() => {
    const written = { from, to };
    return resolveRange(written, Date.now()) ? written : { from: fallback.from, to: fallback.to };
  }, [from, to, fallback.from, fallback.to]);
  const set = useCallback(
    (next: TimeRange) => {
      const url = new URL(window.location.href);
      if (next.from === fallback.from && next.to === fallback.to) {
        url.searchParams.delete("from");
        url.searchParams.delete("to");
      } else {
        url.searchParams.set("from", next.from);
        url.searchParams.set("to", next.to);
      }
      remember(next);
      if (url.href !== window.location.href) window.history.pushState(null, "", url);
    },
    [fallback.from, fallback.to],
  );
  return [range, set];
}

/** What a range means now. The range must come from `useRange`, which lets through only what can be read. */
export function windowOf(range: TimeRange, nowMs = Date.now()): TimeWindow {
  return resolveRange(range, nowMs) ?? { fromMs: nowMs - 300_000, toMs: nowMs };
}

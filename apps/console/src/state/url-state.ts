"use client";
/** View state that lives in the URL, so that a link shows what its sender saw. */
import { useSearchParams } from "next/navigation";
import { useCallback } from "react";

/** One parameter of the query. Setting it to its fallback removes it; the page does not reload. */
export function useUrlState(
  key: string,
  fallback: string,
  options: { push?: boolean } = {},
): [string, (value: string) => void] {
  const value = useSearchParams().get(key) ?? fallback;
  const { push = false } = options;
  const set = useCallback(
    (next: string) => {
      const url = new URL(window.location.href);
      if (next === fallback) url.searchParams.delete(key);
      else url.searchParams.set(key, next);
      if (url.href === window.location.href) return;
      if (push) window.history.pushState(null, "", url);
      else window.history.replaceState(null, "", url);
    },
    [key, fallback, push],
  );
  return [value, set];
}

/** A set of names in one parameter, separated by commas. */
export function useUrlSet(key: string): [ReadonlySet<string>, (name: string) => void] {
  const [value, set] = useUrlState(key, "");
  const names = new Set(value.split(",").filter(Boolean));
  const toggle = (name: string) => {
    // As the address is now: another part of the page may have changed it since this one was drawn.
    const now = new URL(window.location.href).searchParams.get(key) ?? "";
    const next = new Set(now.split(",").filter(Boolean));
    if (!next.delete(name)) next.add(name);
    set([...next].sort().join(","));
  };
  return [names, toggle];
}

"use client";
/** Time series of a chart's range, renewed step by step. */
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ErrorBody, SeriesView } from "../wire.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { mergeSeries, trimSeries } from "./merge-series.ts";
import { useUrlState } from "./url-state.ts";

/** Ranges that the console offers, and their lengths in seconds. */
export const RANGES = { "5m": 300, "15m": 900, "1h": 3600 } as const;

/** A range's name. */
export type Range = keyof typeof RANGES;

/** The range in the URL. */
export function useRange(): [Range, (range: Range) => void] {
  const [value, set] = useUrlState("range", "5m");
  return [value in RANGES ? (value as Range) : "5m", set];
}

/** The series of a range, of one worker or of all. Only new steps are asked for. */
export function useSeries(range: Range, worker?: string, enabled = true) {
  const client = useQueryClient();
  const { paused } = useLive();
  const queryKey = ["series", range, worker ?? ""];
  return useQuery<SeriesView, ErrorBody>({
    queryKey,
    enabled,
    queryFn: async ({ signal }) => {
      const known = client.getQueryData<SeriesView>(queryKey);
      const query = new URLSearchParams({ range });
      if (worker !== undefined) query.set("worker", worker);
      const last = known?.times.at(-1);
      if (last !== undefined) query.set("after", String(last));
      const fresh = await getJson<SeriesView>(`/api/series?${query}`, signal);
      return mergeSeries(known, fresh, RANGES[range]);
    },
    select: trimSeries,
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (paused ? false : Math.max(1000, (query.state.data?.stepS ?? 1) * 1000)),
    refetchOnWindowFocus: !paused,
    retry: 1,
  });
}

"use client";
/** Time series of a page's range, renewed step by step. */
import { isMoving, type TimeRange } from "@ringlight/ui";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { seriesStepS } from "../series-step.ts";
import type { ErrorBody, SeriesView } from "../wire.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { mergeSeries, trimSeries } from "./merge-series.ts";
import { windowOf } from "./time-range.ts";

/** The series of a range, of one worker or of all. While the range moves, only new steps are asked for. */
export function useSeries(range: TimeRange, worker?: string, enabled = true) {
  const client = useQueryClient();
  const { paused, skewMs } = useLive();
  const queryKey = ["series", range.from, range.to, worker ?? ""];
  const moving = isMoving(range);
  return useQuery<SeriesView, ErrorBody>({
    queryKey,
    enabled,
    queryFn: async ({ signal }) => {
      const known = client.getQueryData<SeriesView>(queryKey);
      const { fromMs, toMs } = windowOf(range, Date.now() + skewMs());
      const query = new URLSearchParams({ from: String(Math.floor(fromMs)), to: String(Math.ceil(toMs)) });
      if (worker !== undefined) query.set("worker", worker);
      const last = known?.times.at(-1);
      // A range that grows takes longer steps one day: then all of it is asked for again.
      if (last !== undefined && known?.stepS === seriesStepS(toMs - fromMs)) query.set("after", String(last));
      const fresh = await getJson<SeriesView>(`/api/series?${query}`, signal);
      return query.has("after") ? mergeSeries(known, fresh, (toMs - fromMs) / 1000) : fresh;
    },
    select: trimSeries,
    placeholderData: keepPreviousData,
    refetchInterval: (query) =>
      paused || !moving ? false : Math.max(1000, Math.min(60, query.state.data?.stepS ?? 1) * 1000),
    refetchOnWindowFocus: !paused && moving,
  });
}

"use client";
/** What changed, and when. */
import { isMoving, type TimeRange } from "@ringlight/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { ErrorBody } from "../wire.ts";
import type { EventsPage } from "../wire-events.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { windowOf } from "./time-range.ts";

const LIMIT = 1000;

/** Events of a range, newest first; asked for again every two seconds while the range moves and the page is live. */
export function useEvents(range: TimeRange, kinds: string, text: string) {
  const { paused } = useLive();
  return useQuery<EventsPage, ErrorBody>({
    queryKey: ["changes", range.from, range.to, kinds, text],
    queryFn: ({ signal }) => {
      const { fromMs, toMs } = windowOf(range);
      const query = new URLSearchParams({ from: String(Math.floor(fromMs)), limit: String(LIMIT) });
      // The newest event may be younger than this browser's clock.
      if (!isMoving(range)) query.set("to", String(Math.ceil(toMs)));
      if (kinds !== "") query.set("kind", kinds);
      if (text !== "") query.set("text", text);
      return getJson(`/api/changes?${query}`, signal);
    },
    placeholderData: keepPreviousData,
    refetchInterval: paused || !isMoving(range) ? false : 2000,
  });
}

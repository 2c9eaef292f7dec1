"use client";
/** Log lines: searches of a range, and the live tail. */
import type { LogResult, LogWatchEvent, StoredLog } from "@ringlight/trace-store";
import type { TimeRange } from "@ringlight/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { ErrorBody } from "../wire.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { windowOf } from "./time-range.ts";

/** What the form holds, each under its name in the route's query; empty means: whatever. */
export interface LogForm {
  readonly text: string;
  /** This level and the more severe ones. */
  readonly level: string;
  readonly service: string;
  readonly instance: string;
  readonly trace: string;
}

/** Lines that a tail keeps; older ones make room. */
export const TAIL_LINES = 2000;
/** Lines of one answer. */
const PAGE_LINES = 500;

/** The form as the route's query. A trace id that is half typed is left out. */
export function logQuery(form: LogForm): URLSearchParams {
  const query = new URLSearchParams();
  for (const field of Object.keys(form) as (keyof LogForm)[]) {
    const value = form[field].trim();
    if (value !== "" && (field !== "trace" || /^[0-9a-f]{32}$/i.test(value))) query.set(field, value);
  }
  return query;
}

/** Lines of a range, newest first. A form that names a trace asks for all of its lines, whenever they were written. */
export function useLogs(form: LogForm, range: TimeRange, enabled: boolean) {
  return useQuery<LogResult, ErrorBody>({
    queryKey: ["logs", form, range.from, range.to],
    enabled,
    queryFn: ({ signal }) => {
      const query = logQuery(form);
      if (!query.has("trace")) {
        const window = windowOf(range);
        query.set("from", String(Math.floor(window.fromMs)));
        query.set("to", String(Math.ceil(window.toMs)));
      }
      query.set("limit", String(PAGE_LINES));
      return getJson(`/api/logs?${query}`, signal);
    },
    placeholderData: keepPreviousData,
  });
}

/** Lines older than those of an answer. @throws ErrorBody */
export function olderLogs(form: LogForm, range: TimeRange, beforeId: number): Promise<LogResult> {
  const query = logQuery(form);
  if (!query.has("trace")) query.set("from", String(Math.floor(windowOf(range).fromMs)));
  query.set("before", String(beforeId));
  query.set("limit", String(PAGE_LINES));
  return getJson(`/api/logs?${query}`);
}

/** The tail: the last lines and those that come, newest first, while it is on and the page is not paused. */
export interface LogTail {
  readonly lines: readonly StoredLog[];
  readonly dropped: number;
  readonly state: "connecting" | "open" | "lost";
}

/** Follows the log. */
export function useLogTail(form: LogForm, on: boolean): LogTail {
  const { paused } = useLive();
  const [tail, setTail] = useState<LogTail>({ lines: [], dropped: 0, state: "connecting" });
  const address = `/api/logs/live?${logQuery(form)}`;
  useEffect(() => {
    if (!on || paused) return;
    let lines: StoredLog[] = [];
    let dropped = 0;
    let frame = 0;
    const source = new EventSource(address);
    const show = () => {
      frame = 0;
      setTail({ lines: [...lines], dropped, state: "open" });
    };
    const take = (event: MessageEvent<string>) => {
      const news = JSON.parse(event.data) as LogWatchEvent;
      if (news.type === "dropped") dropped += news.count;
      else {
        if (news.type === "snapshot") lines = [];
        // The route tells the oldest first; the page shows the newest first.
        lines = [...[...news.logs].reverse(), ...lines].slice(0, TAIL_LINES);
      }
      if (frame === 0) frame = requestAnimationFrame(show);
    };
    source.addEventListener("open", () => setTail((known) => ({ ...known, state: "open" })));
    source.addEventListener("error", () => setTail((known) => ({ ...known, state: "lost" })));
    for (const name of ["snapshot", "logs", "dropped"]) source.addEventListener(name, take);
    return () => {
      source.close();
      if (frame !== 0) cancelAnimationFrame(frame);
    };
  }, [address, on, paused]);
  return tail;
}

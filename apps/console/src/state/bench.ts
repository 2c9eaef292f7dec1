"use client";
/** Benchmark runs, asked for again every second or two while one goes on and the page is live. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { ErrorBody } from "../wire.ts";
import type { BenchComparison, BenchDetail, BenchRuns } from "../wire-bench.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";

/** All runs. */
export function useBenchRuns() {
  const { paused } = useLive();
  return useQuery<BenchRuns, ErrorBody>({
    queryKey: ["bench"],
    queryFn: ({ signal }) => getJson("/api/bench", signal),
    placeholderData: keepPreviousData,
    refetchInterval: paused ? false : 2000,
  });
}

/** One run. */
export function useBenchRun(id: string) {
  const { paused } = useLive();
  return useQuery<BenchDetail, ErrorBody>({
    queryKey: ["bench", id],
    queryFn: ({ signal }) => getJson(`/api/bench/${encodeURIComponent(id)}`, signal),
    refetchInterval: ({ state }) => (!paused && state.data?.run.state === "running" ? 1000 : false),
    enabled: id !== "",
  });
}

/** Run b judged against run a. */
export function useBenchComparison(a: string, b: string) {
  return useQuery<BenchComparison, ErrorBody>({
    queryKey: ["bench-compare", a, b],
    queryFn: ({ signal }) => getJson(`/api/bench/compare?${new URLSearchParams({ a, b })}`, signal),
    retry: false,
    enabled: a !== "" && b !== "",
  });
}

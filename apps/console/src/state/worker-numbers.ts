"use client";
/** The numbers of each worker: they come with every tick, or where there are many workers, to the pages that show them. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { readCrowd, type WorkerNumbers } from "../crowd.ts";
import type { Crowd, ErrorBody } from "../wire.ts";
import { getJson } from "./fetch-json.ts";
import { useLive, useTick } from "./live.tsx";

const EVERY_MS = 3_000;

/** The workers' numbers of this moment; undefined while they are not known. */
export function useWorkerNumbers(enabled = true): WorkerNumbers | undefined {
  const tick = useTick();
  const { paused } = useLive();
  const crowd = tick?.crowd === true;
  const query = useQuery<Crowd, ErrorBody, WorkerNumbers>({
    queryKey: ["worker-numbers"],
    enabled: crowd && enabled,
    queryFn: ({ signal }) => getJson("/api/worker-numbers", signal),
    select: readCrowd,
    structuralSharing: false,
    refetchInterval: paused ? false : EVERY_MS,
  });
  const few = useMemo<WorkerNumbers | undefined>(
    () => (tick && !tick.crowd ? { ids: Object.keys(tick.workers), get: (id) => tick.workers[id] } : undefined),
    [tick],
  );
  return crowd ? query.data : few;
}

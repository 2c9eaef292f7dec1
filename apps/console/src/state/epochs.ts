"use client";
import { useQuery } from "@tanstack/react-query";
import type { EpochsView, ErrorBody } from "../wire.ts";
import { getJson } from "./fetch-json.ts";

/** The newest epochs of the ring; asked for again until the present one is among them, which its leader writes down. */
export function useEpochs(epoch: number) {
  return useQuery<EpochsView, ErrorBody>({
    queryKey: ["epochs", epoch],
    queryFn: ({ signal }) => getJson("/api/epochs", signal),
    placeholderData: (previous) => previous,
    refetchInterval: (query) => (query.state.data?.epochs[0]?.epoch === epoch ? false : 2000),
  });
}

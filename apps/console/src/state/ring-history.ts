"use client";
/** Rings of the past, what each change moved, and the hit rate before and after it. */
import { buildRing, diff, type Ring, type RingDiff } from "@ringlight/ring";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { EpochsView, ErrorBody, HandOverView, SeriesView } from "../wire.ts";
import { overallHitRate } from "./derive.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { makingsOf } from "./ring.ts";
import { SMALL_RING, useRingWork } from "./ring-work.ts";

type Epoch = EpochsView["epochs"][number];

/** A past ring beside the one before it. */
export interface PastRing {
  readonly record: Epoch;
  readonly ring: Ring;
  readonly before: Ring | undefined;
  readonly change: RingDiff | undefined;
}

/** The ring of an epoch of the history, and that of the epoch before. Large ones come after a moment. */
export function usePastRing(epochs: readonly Epoch[] | undefined, epoch: number | undefined): PastRing | undefined {
  const place = epochs?.findIndex((candidate) => candidate.epoch === epoch) ?? -1;
  const record = epochs?.[place];
  const older = epochs?.[place + 1];
  const large = Math.max(record?.members.length ?? 0, older?.members.length ?? 0) > SMALL_RING;
  const small = useMemo(() => {
    if (!record || large) return undefined;
    const before = older ? buildRing(older.members, { epoch: older.epoch }) : undefined;
    const ring = buildRing(record.members, { epoch: record.epoch, ...(before ? { previous: before } : {}) });
    return { record, ring, before, change: before ? diff(before, ring) : undefined };
  }, [record, older, large]);
  const key = record && large ? String(record.epoch) : "";
  const made = useRingWork(
    record && large ? { kind: "past", of: makingsOf(record), before: older && makingsOf(older) } : undefined,
    key,
  );
  const past = useMemo(
    () =>
      record && made && made.key === key
        ? { record, ring: made.ring, before: made.before, change: made.diff }
        : undefined,
    [record, made, key],
  );
  return large ? past : small;
}

/** How long on either side of a change is looked at. */
const SIDE_MS = 3 * 60_000;

/** Hit rates over three minutes before and after a moment; undefined where nothing was read or it is not known any more. */
export function useHitRateAround(atMs: number | undefined) {
  return useQuery<{ readonly before: number | undefined; readonly after: number | undefined }, ErrorBody>({
    queryKey: ["hit-rate-around", atMs],
    enabled: atMs !== undefined,
    queryFn: async ({ signal }) => {
      const read = async (fromMs: number, toMs: number) =>
        overallHitRate(await getJson<SeriesView>(`/api/series?from=${fromMs}&to=${toMs}`, signal));
      const at = atMs ?? 0;
      const [before, after] = await Promise.all([read(at - SIDE_MS, at), read(at, at + SIDE_MS)]);
      return { before, after };
    },
    // The minutes after a young change are still being lived.
    refetchInterval: Date.now() - (atMs ?? 0) < SIDE_MS ? 5000 : false,
  });
}

/** The hand-over that runs; asked for every two seconds while the page is live. */
export function useHandOver() {
  const { paused } = useLive();
  return useQuery<HandOverView | null, ErrorBody>({
    queryKey: ["hand-over"],
    queryFn: async ({ signal }) =>
      (await getJson<{ handOver: HandOverView | null }>("/api/hand-over", signal)).handOver,
    refetchInterval: paused ? false : 2000,
    retry: false,
  });
}

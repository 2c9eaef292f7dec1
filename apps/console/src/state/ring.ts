"use client";
/** The ring of the cluster, built in the browser by the code that routes. */
import { buildRing, type Ring } from "@ringlight/ring";
import { useMemo, useRef } from "react";
import type { ClusterSnapshot } from "../wire.ts";

/** The ring of the snapshot's members and epoch; rebuilt only when they change. */
export function useRing(snapshot: ClusterSnapshot | undefined): Ring | undefined {
  const previous = useRef<Ring | undefined>(undefined);
  const key = snapshot ? `${snapshot.epoch} ${snapshot.members.map(({ id, weight }) => `${id}=${weight}`).join()}` : "";
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all that the ring depends on
  return useMemo(() => {
    if (!snapshot) return undefined;
    const ring = buildRing(snapshot.members, {
      epoch: snapshot.epoch,
      ...(previous.current ? { previous: previous.current } : {}),
    });
    previous.current = ring;
    return ring;
  }, [key]);
}

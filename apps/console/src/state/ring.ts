"use client";
/** The ring of the cluster, built in the browser by the code that routes. */
import { buildRing, type PackedRing, type Ring, unpackRing } from "@ringlight/ring";
import { useEffect, useMemo, useRef, useState } from "react";
import type { ClusterSnapshot } from "../wire.ts";

/** Up to so many members a ring is built between two frames; larger ones are built by another thread. */
const SMALL = 240;

/** The ring of the snapshot's members and epoch; rebuilt only when they change. A large one comes after a moment. */
export function useRing(snapshot: ClusterSnapshot | undefined): Ring | undefined {
  const previous = useRef<Ring | undefined>(undefined);
  const large = (snapshot?.members.length ?? 0) > SMALL;
  const key = snapshot ? `${snapshot.epoch} ${snapshot.members.map(({ id, weight }) => `${id}=${weight}`).join()}` : "";
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all that the ring depends on
  const small = useMemo(() => {
    if (!snapshot || large) return undefined;
    const ring = buildRing(snapshot.members, {
      epoch: snapshot.epoch,
      ...(previous.current ? { previous: previous.current } : {}),
    });
    previous.current = ring;
    return ring;
  }, [key, large]);
  const built = useLargeRing(large ? snapshot : undefined, key);
  return large ? built : small;
}

/** A ring from the other thread: the last one that was built, while the next is on its way. */
function useLargeRing(snapshot: ClusterSnapshot | undefined, key: string): Ring | undefined {
  const [ring, setRing] = useState<Ring | undefined>();
  const thread = useRef<Worker | undefined>(undefined);
  useEffect(() => () => thread.current?.terminate(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all that the ring depends on
  useEffect(() => {
    if (!snapshot) return;
    let worker = thread.current;
    if (!worker) {
      worker = new Worker(new URL("./ring-thread.ts", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }: MessageEvent<PackedRing>) => setRing(unpackRing(data));
      thread.current = worker;
    }
    worker.postMessage({
      members: snapshot.members.map(({ id, weight }) => ({ id, weight })),
      epoch: snapshot.epoch,
    });
  }, [key, snapshot === undefined]);
  return ring;
}

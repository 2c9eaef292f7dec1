"use client";
/** The ring of the cluster, built in the browser by the code that routes. */
import { buildRing, type Ring } from "@ringlight/ring";
import { useMemo, useRef } from "react";
import type { ClusterSnapshot } from "../wire.ts";
import type { RingMakings } from "./ring-thread.ts";
import { SMALL_RING, useRingWork } from "./ring-work.ts";

/** What another thread needs of members and epoch. */
export function makingsOf({ members, epoch }: RingMakings): RingMakings {
  return { members: members.map(({ id, weight }) => ({ id, weight })), epoch };
}

/** Says all that a ring depends on. */
export function makingsKey({ members, epoch }: RingMakings): string {
  return `${epoch} ${members.map(({ id, weight }) => `${id}=${weight}`).join()}`;
}

/** The ring of the snapshot's members and epoch; rebuilt only when they change. A large one comes after a moment. */
export function useRing(snapshot: ClusterSnapshot | undefined): Ring | undefined {
  const previous = useRef<Ring | undefined>(undefined);
  const large = (snapshot?.members.length ?? 0) > SMALL_RING;
  const [members, epoch] = [snapshot?.members, snapshot?.epoch];
  const key = useMemo(() => (members && epoch !== undefined ? makingsKey({ members, epoch }) : ""), [members, epoch]);
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
  const made = useRingWork(snapshot && large ? { kind: "ring", of: makingsOf(snapshot) } : undefined, key);
  return large ? made?.ring : small;
}

"use client";
/** Rings that another thread builds for the pages. */
import { type Ring, type RingDiff, unpackRing } from "@ringlight/ring";
import { useEffect, useState } from "react";
import type { RingAnswer, RingQuestion, RingRequest } from "./ring-thread.ts";

/** Up to so many members a ring is built between two frames; larger ones are built by another thread. */
export const SMALL_RING = 240;

/** What the thread has made. */
export interface MadeRing {
  /** Of the question that was answered. */
  readonly key: string;
  readonly ring: Ring;
  readonly before: Ring | undefined;
  readonly diff: RingDiff | undefined;
}

let thread: Worker | undefined;
let asked = 0;
const waiting = new Map<number, (answer: RingAnswer) => void>();

function ask(question: RingQuestion): Promise<RingAnswer> {
  if (thread === undefined) {
    thread = new Worker(new URL("./ring-thread.ts", import.meta.url), { type: "module" });
    thread.onmessage = ({ data }: MessageEvent<RingAnswer>) => {
      waiting.get(data.id)?.(data);
      waiting.delete(data.id);
    };
  }
  const id = ++asked;
  thread.postMessage({ id, question } satisfies RingRequest);
  return new Promise((resolve) => waiting.set(id, resolve));
}

/**
 * The answer to a question, the last one while the next is on its way; undefined without a question, and before the first.
 * @param key says all that the question depends on
 */
export function useRingWork(question: RingQuestion | undefined, key: string): MadeRing | undefined {
  const [made, setMade] = useState<MadeRing>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all that the question depends on
  useEffect(() => {
    if (question === undefined) return;
    let isWanted = true;
    void ask(question).then(({ ring, before, diff }) => {
      if (!isWanted || ring === undefined) return;
      setMade({ key, ring: unpackRing(ring), before: before && unpackRing(before), diff });
    });
    return () => {
      isWanted = false;
    };
  }, [key, question === undefined]);
  return question === undefined ? undefined : made;
}

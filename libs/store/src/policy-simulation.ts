/** An exact simulation of a cache of pages of one byte each, for comparing eviction policies on traces. */
import {
  createEvictionPolicy,
  type EvictablePages,
  type EvictionPolicy,
  type EvictionPolicyName,
} from "./eviction-policy.ts";
import type { PageTrace } from "./page-traces.ts";
import { mix32 } from "./version-table.ts";

/** Share of hits of a policy with `capacity` pages over a trace. */
export function simulateHitRatio(
  make: (pages: EvictablePages) => EvictionPolicy,
  capacity: number,
  trace: PageTrace,
): number {
  const slotOf = new Int32Array(trace.pages).fill(-1);
  const pageOf = new Uint32Array(capacity);
  const policy = make({ hashOf: (slot) => mix32(pageOf[slot]! + 1), bytesOf: () => 1 });
  const freezes = policy.name === "freeze";
  const free = Array.from({ length: capacity }, (_, slot) => capacity - 1 - slot);
  const victims: number[] = [];
  let hits = 0;
  for (const page of trace.requests) {
    const slot = slotOf[page]!;
    if (slot >= 0) {
      hits++;
      policy.onHit(slot);
      continue;
    }
    if (free.length === 0) {
      if (freezes) continue;
      policy.victims(1, 1, victims);
      for (const victim of victims) {
        slotOf[pageOf[victim]!] = -1;
        free.push(victim);
      }
      victims.length = 0;
    }
    const taken = free.pop()!;
    pageOf[taken] = page;
    slotOf[page] = taken;
    policy.onInsert(taken);
  }
  return hits / trace.requests.length;
}

/** Share of hits of a named policy. */
export function policyHitRatio(name: EvictionPolicyName, capacity: number, trace: PageTrace): number {
  return simulateHitRatio((pages) => createEvictionPolicy(name, pages), capacity, trace);
}

/**
 * Share of hits of the best that can be done (Belady, with the right not to keep a page): the page that is asked for
 * again latest goes.
 */
export function optimalHitRatio(capacity: number, trace: PageTrace): number {
  const { requests } = trace;
  const never = requests.length;
  const nextUse = new Uint32Array(requests.length);
  const last = new Uint32Array(trace.pages).fill(never);
  for (let at = requests.length - 1; at >= 0; at--) {
    nextUse[at] = last[requests[at]!]!;
    last[requests[at]!] = at;
  }
  // A heap of the pages held by next use, latest on top; entries that a hit made stale are skipped when they come up.
  const heap: number[] = [];
  const due = new Uint32Array(trace.pages).fill(never);
  const held = new Uint8Array(trace.pages);
  let size = 0;
  let hits = 0;
  const push = (use: number): void => {
    let at = heap.push(use) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! >= use) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = use;
  };
  const pop = (): number => {
    const top = heap[0]!;
    const moved = heap.pop()!;
    let at = 0;
    for (let child = 1; child < heap.length; child = at * 2 + 1) {
      if (child + 1 < heap.length && heap[child + 1]! > heap[child]!) child++;
      if (heap[child]! <= moved) break;
      heap[at] = heap[child]!;
      at = child;
    }
    if (heap.length > 0) heap[at] = moved;
    return top;
  };
  for (let at = 0; at < requests.length; at++) {
    const page = requests[at]!;
    if (held[page] === 1) {
      hits++;
    } else if (nextUse[at] === never) {
      continue;
    } else {
      held[page] = 1;
      size++;
    }
    const use = nextUse[at]!;
    due[page] = use;
    if (use === never) {
      held[page] = 0;
      size--;
      continue;
    }
    push(use);
    while (size > capacity) {
      const latest = pop();
      const victim = requests[latest]!;
      if (held[victim] !== 1 || due[victim] !== latest) continue;
      held[victim] = 0;
      size--;
    }
  }
  return hits / requests.length;
}

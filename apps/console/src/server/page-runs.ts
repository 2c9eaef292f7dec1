/** Runs of pages of several workers together. */
import { pageLength } from "@ringlight/core";
import type { RunView } from "../wire.ts";

/** The pages that at least one of the lists holds, as ascending runs that do not touch. */
export function uniteRuns(lists: readonly (readonly RunView[])[]): RunView[] {
  const sorted = lists.flat().sort((a, b) => a.first - b.first);
  const united: { first: number; last: number }[] = [];
  for (const run of sorted) {
    const previous = united.at(-1);
    if (previous && run.first <= previous.last + 1) previous.last = Math.max(previous.last, run.last);
    else united.push({ first: run.first, last: run.last });
  }
  return united;
}

/** Bytes of an object that the runs cover; the last page is short. */
export function runBytes(runs: readonly RunView[], sizeBytes: number, pageBytes: number): number {
  let bytes = 0;
  for (const run of runs) {
    bytes += (run.last - run.first) * pageBytes + pageLength(sizeBytes, pageBytes, run.last);
  }
  return Math.min(bytes, sizeBytes);
}

/** Runs of pages that several workers hold, taken together as sets: a page that two replicas hold counts once. */
import { type PageRun, pageCount, pageLength } from "@ringlight/core";

/** The pages that at least one of the lists holds, as ascending runs that do not touch. */
export function uniteRuns(lists: readonly (readonly PageRun[])[]): PageRun[] {
  const sorted = lists.flat().sort((a, b) => a.first - b.first);
  const united: { first: number; last: number }[] = [];
  for (const run of sorted) {
    const previous = united.at(-1);
    if (previous && run.first <= previous.last + 1) previous.last = Math.max(previous.last, run.last);
    else united.push({ first: run.first, last: run.last });
  }
  return united;
}

/** Bytes of an object that united runs cover; the last page is short, and pages behind the end do not count. */
export function runBytes(runs: readonly PageRun[], sizeBytes: number, pageBytes: number): number {
  const pages = pageCount(sizeBytes, pageBytes);
  let bytes = 0;
  for (const run of runs) {
    const last = Math.min(run.last, pages - 1);
    if (last >= run.first) bytes += (last - run.first) * pageBytes + pageLength(sizeBytes, pageBytes, last);
  }
  return bytes;
}

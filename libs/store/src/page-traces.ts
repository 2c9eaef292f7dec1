/**
 * Seeded traces of page requests, in the shapes of what a data-lake cache sees; a trace is the number of the page of each
 * request. At their full size they have about as many requests and pages as those of the published hit ratios in
 * docs/adr/0009-index-and-eviction.md.
 */
import { mix32 } from "./version-table.ts";

/** A trace. */
export interface PageTrace {
  readonly name: string;
  readonly requests: Uint32Array;
  /** Number of different pages; page numbers are below it. */
  readonly pages: number;
}

/** Deterministic numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = mix32(seed + 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix32(state) / 2 ** 32;
  };
}

/** Ranks 0 to `count` - 1 by Zipf's law. */
function zipf(count: number, exponent: number, random: () => number): () => number {
  const cumulative = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank++) {
    total += (rank + 1) ** -exponent;
    cumulative[rank] = total;
  }
  return () => {
    const at = random() * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const swap = order[at]!;
    order[at] = order[other]!;
    order[other] = swap;
  }
  return order;
}

const EPOCHS = 8;

/** Training that reads all pages in the same order each epoch. */
export function epochLoop(scale = 1): PageTrace {
  const pages = Math.round(70_000 * scale);
  const requests = Uint32Array.from({ length: pages * EPOCHS }, (_, at) => at % pages);
  return { name: "epoch loop", requests, pages };
}

/** Training that reads files of 16 pages from beginning to end, the files in a new order each epoch. */
export function fileReshuffle(scale = 1): PageTrace {
  const random = seededRandom(2);
  const filePages = 16;
  const files = Math.round((73_000 * scale) / filePages);
  const requests = new Uint32Array(files * filePages * EPOCHS);
  let at = 0;
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (const file of shuffled(files, random)) {
      for (let page = 0; page < filePages; page++) requests[at++] = file * filePages + page;
    }
  }
  return { name: "file reshuffle", requests, pages: files * filePages };
}

/** Training that reads every page once an epoch, in a new order each. */
export function sampleReshuffle(scale = 1): PageTrace {
  const random = seededRandom(3);
  const pages = Math.round(70_000 * scale);
  const requests = new Uint32Array(pages * EPOCHS);
  for (let epoch = 0; epoch < EPOCHS; epoch++) requests.set(shuffled(pages, random), epoch * pages);
  return { name: "sample reshuffle", requests, pages };
}

/** Queries: a file by Zipf's law (0.9), of it three neighbouring columns; a column is a run of one to five pages. */
export function sqlZipf(scale = 1, seed = 5): PageTrace {
  const random = seededRandom(seed);
  const files = Math.max(10, Math.round(3000 * scale));
  const columns = 10;
  const starts = new Uint32Array(files * columns + 1);
  for (let at = 0; at < files * columns; at++) starts[at + 1] = starts[at]! + 1 + Math.floor(random() * 4.13);
  const wanted = Math.round(569_000 * scale);
  const requests = new Uint32Array(wanted);
  const file = zipf(files, 0.9, random);
  const fileOrder = shuffled(files, random);
  for (let at = 0; at < wanted; ) {
    const name = fileOrder[file()]!;
    const first = Math.floor(random() * columns);
    for (let read = 0; read < 3; read++) {
      const which = name * columns + ((first + read) % columns);
      for (let page = starts[which]!; page < starts[which + 1]! && at < wanted; page++) requests[at++] = page;
    }
  }
  return { name: "SQL zipf", requests, pages: starts[files * columns]! };
}

/** The same queries, while now and then a job scans pages that nobody reads again. */
export function sqlWithScans(scale = 1): PageTrace {
  const sql = sqlZipf(scale);
  const scans = 10;
  const scanPages = Math.round(30_000 * scale);
  const requests = new Uint32Array(sql.requests.length + scans * scanPages);
  const part = Math.ceil(sql.requests.length / scans);
  let at = 0;
  for (let scan = 0; scan < scans; scan++) {
    const hot = sql.requests.subarray(scan * part, (scan + 1) * part);
    // The scan runs beside the queries of the first half of its part.
    for (let read = 0, next = 0; read < hot.length || next < scanPages; ) {
      for (let page = 0; page < 8 && read < hot.length; page++) requests[at++] = hot[read++]!;
      for (let page = 0; page < 8 && next < scanPages; page++) requests[at++] = sql.pages + scan * scanPages + next++;
    }
  }
  return { name: "SQL + scans", requests, pages: sql.pages + scans * scanPages };
}

/** Training with reshuffled files beside queries, each at the speed at which both end together. */
export function trainingWithSql(scale = 1): PageTrace {
  const sql = sqlZipf(scale, 6);
  const training = fileReshuffle((scale * 54) / 73);
  const requests = new Uint32Array(sql.requests.length + training.requests.length);
  let ours = 0;
  let theirs = 0;
  for (let at = 0; at < requests.length; at++) {
    const sqlIsBehind = ours * training.requests.length <= theirs * sql.requests.length;
    if ((sqlIsBehind && ours < sql.requests.length) || theirs === training.requests.length) {
      requests[at] = sql.requests[ours++]!;
    } else {
      requests[at] = sql.pages + training.requests[theirs++]!;
    }
  }
  return { name: "training + SQL", requests, pages: sql.pages + training.pages };
}

/** Recency alone: readers that wander over the pages in a window. */
export function wandering(scale = 1): PageTrace {
  const random = seededRandom(11);
  const window = 12_000 * scale;
  const requests = Uint32Array.from({ length: Math.round(500_000 * scale) }, (_, at) =>
    Math.floor(at / 10 + random() ** 2 * window),
  );
  return { name: "wandering", requests, pages: Math.ceil((500_000 * scale) / 10 + window) + 1 };
}

/** All traces at a scale; 1 is full size. */
export function pageTraces(scale = 1): PageTrace[] {
  return [epochLoop, fileReshuffle, sampleReshuffle, sqlZipf, sqlWithScans, trainingWithSql, wandering].map((make) =>
    make(scale),
  );
}

/** Which object the demo reader takes next, and which part of it. */

/** An object that can be read. */
export interface DemoObject {
  readonly key: string;
  readonly sizeBytes: number;
}

/** One read: the whole object, or a range as HTTP writes it. */
export interface PlannedRead {
  readonly key: string;
  readonly range: string | undefined;
}

const EXPONENT = 0.9;
const FOOTER_BYTES = 64 * 1024;
const SLICE_BYTES = 256 * 1024;

/**
 * Draws indices below `count` by Zipf's law: few are drawn often. Which ones is scattered over the list, so that every
 * kind of file has its favourites.
 */
export function zipf(count: number, random: () => number): () => number {
  const cumulative: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) {
    sum += rank ** -EXPONENT;
    cumulative.push(sum);
  }
  // A step that shares no factor with any likely count visits every index once.
  const step = 7919;
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return count % step === 0 ? low : (low * step) % count;
  };
}

function slice(object: DemoObject, bytes: number, random: () => number): string {
  const start = Math.floor(random() * Math.max(1, object.sizeBytes - bytes));
  return `bytes=${start}-${Math.min(object.sizeBytes, start + bytes) - 1}`;
}

/** Plans a read as a user of that kind of file would make it. */
export function planRead(object: DemoObject, random: () => number): PlannedRead {
  const { key, sizeBytes } = object;
  if (key.endsWith(".parquet")) {
    // A query reads the footer first, then the column chunks it needs.
    const footer = random() < 0.4;
    return {
      key,
      range: footer
        ? `bytes=${Math.max(0, sizeBytes - FOOTER_BYTES)}-${sizeBytes - 1}`
        : slice(object, SLICE_BYTES * 2, random),
    };
  }
  if (key.endsWith(".jsonl") && random() < 0.8) return { key, range: slice(object, SLICE_BYTES, random) };
  return { key, range: undefined };
}

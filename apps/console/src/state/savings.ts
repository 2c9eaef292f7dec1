/** What the cache saved: bytes and requests that stores were not asked for, and what they would have cost. */
import * as column from "../columns.ts";
import type { Columns } from "../wire.ts";

/** What a store charges, in any currency. */
export interface Prices {
  readonly perGib: number;
  readonly perThousandRequests: number;
}

/** What was saved. */
export interface Savings {
  readonly bytes: number;
  /** Hits, at as many GETs for each page as misses took. */
  readonly requests: number;
  readonly cost: number;
}

const GIB = 1024 ** 3;

/** Of counters since the workers' start. */
export function savingsOf(totals: Columns, prices: Prices): Savings {
  const bytes = column.sumFamily(totals, "bytes.hit.") + (totals[column.BYTES_JOINED] ?? 0);
  const hits = column.sumFamily(totals, "pages.hit.") + (totals[column.PAGES_JOINED] ?? 0);
  const misses = column.sumFamily(totals, "pages.miss.");
  const gets = totals[column.ufs("get")] ?? 0;
  // Adjacent pages are fetched by one GET: a hit saves less than one. Jobs' GETs are among them, so that it is one at the most.
  const getsPerPage = misses > 0 ? Math.min(1, gets / misses) : 1;
  const requests = hits * getsPerPage;
  return { bytes, requests, cost: (bytes / GIB) * prices.perGib + (requests / 1000) * prices.perThousandRequests };
}

/** A price as it was typed; undefined for what is none. */
export function parsePrice(text: string): number | undefined {
  const price = Number(text.trim().replace(",", "."));
  return text.trim() !== "" && Number.isFinite(price) && price >= 0 ? price : undefined;
}

/** Benchmarks of the page store alone: no network, no UFS. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPageStore, versionId } from "@ringlight/store";

/** What benchStoreRecovery measured. */
export interface StoreRecoveryResult {
  readonly pages: number;
  /** Time to make the pages, milliseconds. */
  readonly fillMs: number;
  /** Time from openPageStore to a store that serves, milliseconds. */
  readonly recoveryMs: number;
  /** Growth of the resident set by the recovery, bytes a page; the garbage of reading the directories included. */
  readonly residentBytesPerPage: number;
}

/**
 * Times how long a store with `pages` pages of 1 KiB takes to be ready after a restart. Makes that many files (20 to 60 s a
 * million) in a temporary directory, and removes them. Run with --expose-gc for a steady figure of memory.
 */
export async function benchStoreRecovery(pages = 200_000, parent = tmpdir()): Promise<StoreRecoveryResult> {
  const directory = fs.mkdtempSync(join(parent, "ringlight-bench-store-"));
  const tiers = [{ name: "ssd", directories: [directory], limitBytes: 64 * 1024 ** 3 }];
  const pagesOfVersion = 256;
  const data = Buffer.alloc(1024, "ringlight");
  try {
    const fillStart = performance.now();
    const first = await openPageStore({ tiers });
    for (let at = 0; at < pages; at += pagesOfVersion) {
      const version = versionId("bench", `object-${at}`, "1");
      const count = Math.min(pagesOfVersion, pages - at);
      await Promise.all(Array.from({ length: count }, (_, index) => first.put(version, index, data)));
    }
    await first.close();
    const fillMs = performance.now() - fillStart;
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    const start = performance.now();
    const second = await openPageStore({ tiers });
    const recoveryMs = performance.now() - start;
    globalThis.gc?.();
    const residentBytesPerPage = (process.memoryUsage().rss - before) / pages;
    const found = second.stats().reduce((sum, tier) => sum + tier.pages, 0);
    await second.close();
    if (found !== pages) throw new Error(`${found} of ${pages} pages were found again`);
    return { pages, fillMs, recoveryMs, residentBytesPerPage };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

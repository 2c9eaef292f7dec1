/** Bytes of pages that are in this worker's store, read into memory of the caller's. */
import { readSync } from "node:fs";
import type { PageRef, PageStore } from "@ringlight/core";
import { type VersionPages, verifiesAlways } from "./lease-objects.ts";

/**
 * Reads `length` bytes of the object from `offset` on into `target`, if they all lie in one page that the store holds.
 * Returns the tier, or undefined where the page is not here; waits only for a page that must be verified first.
 */
export function readHit(
  store: PageStore,
  pageBytes: number,
  known: VersionPages,
  offset: number,
  target: Buffer,
  targetOffset: number,
  length: number,
): string | undefined | Promise<string | undefined> {
  const index = Math.floor(offset / pageBytes);
  const within = offset - index * pageBytes;
  const copy = (page: PageRef | undefined) =>
    page && (copyOut(page, within, target, targetOffset, length) ? page.tier : undefined);
  const opened = verifiesAlways(known.record)
    ? store.open(known.version, index, { verify: true, range: { offset: within, length } })
    : store.open(known.version, index);
  return opened instanceof Promise ? opened.then(copy) : copy(opened);
}

/** Copies bytes of a page and lets go of it. False where its file is damaged: the store has dropped it then. */
function copyOut(page: PageRef, within: number, target: Buffer, targetOffset: number, length: number): boolean {
  try {
    if (within + length > page.lengthBytes) return false;
    let at = 0;
    while (at < length) {
      const read = readSync(page.fd, target, targetOffset + at, length - at, page.position + within + at);
      if (read === 0) break;
      at += read;
    }
    if (at === length) return true;
    // Reading by the page itself is how the store learns that its file is short.
    page.read(within, length);
    return false;
  } catch {
    return false;
  } finally {
    page.release();
  }
}

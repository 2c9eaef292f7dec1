/** Reads a unit back out of the page store and compares it with what the store behind the mount says of it, or with its bytes. */
import { createHash } from "node:crypto";
import { type ObjectMeta, pageLength, RinglightError } from "@ringlight/core";
import { meantRuns, type TaskSettings, type TaskSources, type UnitPages } from "./task-unit.ts";

/** An ETag that is an MD5 of the object's bytes, as that of an object that was put in one piece and not encrypted by a key of the store. */
const MD5_ETAG = /^"([0-9a-f]{32})"$/;
/** Bytes compared with one GET. */
const PIECE_BYTES = 8 * 1024 * 1024;

/**
 * True when all pages of the unit are cached and right. Pages that are wrong are dropped, together with all others of the
 * object that are here, and fetched once more; so are those that were dropped with another unit's. False when pages were
 * gone again. @throws RL_CORRUPT when they are wrong again
 */
export async function verifyUnit(
  sources: TaskSources,
  pages: UnitPages,
  meta: ObjectMeta | undefined,
  settings: TaskSettings,
  fetchAgain: () => Promise<void>,
): Promise<boolean> {
  for (let wrong = 0, gone = 0; ; ) {
    const verdict = await compare(sources, pages, meta, settings);
    if (verdict === "right") return true;
    if (verdict === "gone" && gone++ > 0) return false;
    if (verdict === "wrong") sources.store.invalidate(pages.version);
    if (verdict === "wrong" && wrong++ > 0) {
      throw new RinglightError(
        "RL_CORRUPT",
        "what was cached differs from what the store has, twice; it was dropped. Check the network and the proxies between",
      );
    }
    await fetchAgain();
  }
}

async function compare(
  sources: TaskSources,
  pages: UnitPages,
  meta: ObjectMeta | undefined,
  settings: TaskSettings,
): Promise<"right" | "wrong" | "gone"> {
  const expected = pages.bytes === pages.meta.sizeBytes ? MD5_ETAG.exec(meta?.etag ?? "")?.[1] : undefined;
  if (expected !== undefined) {
    const md5 = createHash("md5");
    for (let index = pages.first; index <= pages.last; index++) {
      const page = await pageBytesOf(sources, pages, index);
      if (page === undefined) return "gone";
      md5.update(page);
    }
    if (md5.digest("hex") === expected) return "right";
    // An ETag may look like an MD5 and be none: the bytes decide.
  }
  return compareBytes(sources, pages, settings);
}

async function compareBytes(
  sources: TaskSources,
  pages: UnitPages,
  { limits, signal, onRead }: TaskSettings,
): Promise<"right" | "wrong" | "gone"> {
  const { pageBytes } = sources;
  for (const { first, last } of meantRuns(pages, pageBytes, Math.min(PIECE_BYTES, limits.pieceBytes))) {
    const start = first * pageBytes;
    const end = Math.min(pages.meta.sizeBytes, (last + 1) * pageBytes) - 1;
    await limits.rate.take(end - start + 1, signal);
    const verdict = await limits.transfers.run(async () => {
      const body = await pages.ufs.read(pages.key, pages.meta.version, { start, end }, { signal });
      let index = first;
      let at = 0;
      let page = await pageBytesOf(sources, pages, index);
      for await (const chunk of body.stream) {
        onRead(chunk.length);
        for (let from = 0; from < chunk.length; ) {
          if (page === undefined) return "gone";
          const take = Math.min(chunk.length - from, page.length - at);
          if (page.compare(chunk, from, from + take, at, at + take) !== 0) return "wrong";
          from += take;
          at += take;
          if (at === page.length && index < last) {
            page = await pageBytesOf(sources, pages, ++index);
            at = 0;
          }
        }
      }
      return "right";
    });
    if (verdict !== "right") return verdict;
  }
  return "right";
}

/** A page's bytes out of the page store; undefined when it is not there any more. */
async function pageBytesOf(
  { store, pageBytes }: TaskSources,
  pages: UnitPages,
  index: number,
): Promise<Buffer | undefined> {
  const page = await store.open(pages.version, index, { verify: true });
  if (page === undefined) return undefined;
  try {
    return page.read(0, pageLength(pages.meta.sizeBytes, pageBytes, index));
  } finally {
    page.release();
  }
}

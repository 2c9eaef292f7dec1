/** Listings of a bucket: pages of keys in order, each from one ListObjectsV2. */
import { compareKeys, type ListedObject, type ListPage, type ListRequest, RinglightError } from "@ringlight/core";
import { withRetries } from "./retry.ts";
import { describe } from "./s3-errors.ts";
import type { S3Http } from "./s3-http.ts";
import { type Listing, parseListing } from "./s3-listing-xml.ts";
import { etagOf } from "./s3-meta.ts";

/** Sorts behind every key that begins with the text before it (but for keys that continue with this very character). */
const LAST_CHARACTER = "\u{10ffff}";
const MAX_KEYS = 1000;

/** Lists one bucket. */
export class S3Lister {
  readonly #http: S3Http;

  constructor(http: S3Http) {
    this.#http = http;
  }

  /** Lists one page of the mount. */
  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    const { prefix: root } = this.#http.location;
    const { prefix, delimiter, startAfter } = request;
    // Stores differ on a start within a common prefix: AWS names that prefix again, radosgw does not. Asking past all
    // of it makes both skip it, and saves AWS's walk through it; the filter below takes out what comes all the same.
    const skipped = rolledUp(startAfter, prefix, delimiter);
    let from = startAfter === "" ? "" : root + (skipped === undefined ? startAfter : skipped + LAST_CHARACTER);
    for (;;) {
      const maxKeys = Math.min(MAX_KEYS, Math.max(1, request.maxKeys));
      const listing = await this.#page(root + prefix, delimiter, from, maxKeys, signal);
      const page = this.#read(listing, startAfter);
      // A page of nothing new is not handed out while there is more, so that nobody takes it for the end.
      if (page.objects.length + page.commonPrefixes.length > 0 || !page.truncated) return page;
      const last = lastOf(listing);
      if (last === "" || compareKeys(last, from) <= 0) {
        throw new RinglightError("RL_UFS_ERROR", `the store's listing of "${root + prefix}" does not advance`);
      }
      from = last;
    }
  }

  #read(listing: Listing, startAfter: string): ListPage {
    const { prefix: root } = this.#http.location;
    const isNew = (key: string) => startAfter === "" || compareKeys(key, startAfter) > 0;
    const strip = (key: string) => (key.startsWith(root) ? key.slice(root.length) : "");
    const objects: ListedObject[] = [];
    for (const row of listing.contents) {
      const key = strip(row.key);
      // The directory marker of the mount's own prefix is the mount itself, not an object in it.
      if (key === "" || !isNew(key)) continue;
      const etag = etagOf(row.etag) ?? '""';
      const object = { key, sizeBytes: row.sizeBytes, etag, version: etag, modifiedMs: row.modifiedMs };
      objects.push(row.storageClass === "" ? object : { ...object, storageClass: row.storageClass });
    }
    const commonPrefixes = listing.commonPrefixes.map(strip).filter((common) => common !== "" && isNew(common));
    const { truncated } = listing;
    const nextStartAfter = truncated ? later(objects.at(-1)?.key ?? "", commonPrefixes.at(-1) ?? "") : "";
    return { objects, commonPrefixes, truncated, nextStartAfter };
  }

  #page(prefix: string, delimiter: string, startAfter: string, maxKeys: number, signal: AbortSignal): Promise<Listing> {
    const query: (readonly [string, string])[] = [
      ["list-type", "2"],
      ["encoding-type", "url"],
      ["max-keys", String(maxKeys)],
    ];
    if (prefix !== "") query.push(["prefix", prefix]);
    if (delimiter !== "") query.push(["delimiter", delimiter]);
    if (startAfter !== "") query.push(["start-after", startAfter]);
    const operation = `list ${JSON.stringify(prefix)}`;
    return withRetries(signal, async () =>
      parseListing(await this.#http.document(query, operation, signal), describe(this.#http.location, operation)),
    );
  }
}

function later(a: string, b: string): string {
  return compareKeys(a, b) > 0 ? a : b;
}

/** Last key or common prefix of the store's own page. */
function lastOf({ contents, commonPrefixes }: Listing): string {
  return later(contents.at(-1)?.key ?? "", commonPrefixes.at(-1) ?? "");
}

/** The common prefix in which a start lies, if it lies in one. */
function rolledUp(startAfter: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "" || !startAfter.startsWith(prefix)) return undefined;
  const at = startAfter.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : startAfter.slice(0, at + delimiter.length);
}

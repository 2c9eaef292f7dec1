/** The S3 origin's listings: prefix, delimiter and paging over keys in order, in time that depends on the page alone. */
import { compareKeys } from "@ringlight/core";
import type { OriginBucket } from "./s3-origin-objects.ts";

/** What to list, after the request was parsed. */
export interface OriginListing {
  readonly prefix: string;
  readonly delimiter: string;
  /** Exclusive start. */
  readonly after: string;
  /**
   * Whether a common prefix equal to or beneath `after` is left out. S3 does so for V1's marker and for continuation
   * tokens, not for V2's start-after, which names a key: with start-after "a/1" the common prefix "a/" comes again.
   */
  readonly skipRolledUp: boolean;
  readonly maxKeys: number;
}

/** One page: entries in order. */
export interface OriginListingPage {
  readonly keys: string[];
  readonly commonPrefixes: string[];
  readonly truncated: boolean;
  /** Last key or common prefix of the page. */
  readonly last: string;
}

/** First position whose key satisfies a condition that holds for all later keys too. */
function firstPosition(bucket: OriginBucket, low: number, condition: (key: string) => boolean): number {
  let from = low;
  let to = bucket.keyCount;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (condition(bucket.keyAt(middle))) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** The common prefix that a key is rolled up to, if it is. */
function rolledUp(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : key.slice(0, at + delimiter.length);
}

/** Lists one page of a bucket. */
export function listKeys(bucket: OriginBucket, listing: OriginListing): OriginListingPage {
  const { prefix, delimiter, after, maxKeys } = listing;
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  const behind = (common: string) => (key: string) => compareKeys(key, common) > 0 && !key.startsWith(common);
  let last = "";
  let position = firstPosition(
    bucket,
    0,
    (key) => compareKeys(key, prefix) >= 0 && (after === "" || compareKeys(key, after) > 0),
  );
  if (listing.skipRolledUp && after.startsWith(prefix)) {
    const common = rolledUp(after, prefix, delimiter);
    if (common !== undefined) position = firstPosition(bucket, position, behind(common));
  }
  while (position < bucket.keyCount) {
    const key = bucket.keyAt(position);
    if (!key.startsWith(prefix)) break;
    if (keys.length + commonPrefixes.length >= maxKeys) return { keys, commonPrefixes, truncated: maxKeys > 0, last };
    const common = rolledUp(key, prefix, delimiter);
    if (common === undefined) {
      keys.push(key);
      position++;
    } else {
      commonPrefixes.push(common);
      position = firstPosition(bucket, position + 1, behind(common));
    }
    last = common ?? key;
  }
  return { keys, commonPrefixes, truncated: false, last };
}

/** ListBuckets, whole or page by page. */
import { compareKeys } from "@ringlight/core";
import type { BucketInfo } from "./backend.ts";
import { formatToken, OWNER, parseToken } from "./listing.ts";
import { S3Error } from "./s3-error.ts";
import { element, parent, xmlDocument, xmlTime } from "./xml.ts";

/** Most buckets of one page. */
const MAX_BUCKETS = 10_000;

/** A list of buckets as asked for. */
interface BucketsQuery {
  readonly prefix: string;
  /** Undefined: all of them, for clients that know no pages. */
  readonly maxBuckets: number | undefined;
  readonly startAfter: string;
  readonly region: string | undefined;
  readonly isPaged: boolean;
}

/** Reads the parameters of ListBuckets. @throws S3Error InvalidArgument */
export function parseBucketsQuery(query: ReadonlyMap<string, string>): BucketsQuery {
  const text = query.get("max-buckets");
  const maxBuckets = text === undefined || text === "" ? undefined : Number(text);
  if (maxBuckets !== undefined && !(Number.isInteger(maxBuckets) && maxBuckets >= 1 && maxBuckets <= MAX_BUCKETS)) {
    throw new S3Error("InvalidArgument", `max-buckets must be an integer between 1 and ${MAX_BUCKETS}`, {
      ArgumentName: "max-buckets",
      ArgumentValue: text ?? "",
    });
  }
  const token = query.get("continuation-token");
  return {
    prefix: query.get("prefix") ?? "",
    maxBuckets,
    startAfter: token ? parseToken(token) : "",
    region: query.get("bucket-region"),
    isPaged: maxBuckets !== undefined || Boolean(token),
  };
}

/** The document of ListBuckets; all buckets are of one region. */
export function bucketsDocument(query: BucketsQuery, all: readonly BucketInfo[], region: string): string {
  const { prefix, startAfter } = query;
  const isAsked = ({ name }: BucketInfo) =>
    name.startsWith(prefix) && (startAfter === "" || compareKeys(name, startAfter) > 0);
  const found = query.region === undefined || query.region === region ? all.filter(isAsked) : [];
  found.sort((a, b) => compareKeys(a.name, b.name));
  const page = found.slice(0, query.maxBuckets);
  const last = page.at(-1)?.name;
  const rows = page.map(({ name, createdMs }) =>
    parent(
      "Bucket",
      element("Name", name),
      element("CreationDate", xmlTime(createdMs)),
      query.isPaged ? element("BucketRegion", region) : "",
    ),
  );
  return xmlDocument(
    "ListAllMyBucketsResult",
    OWNER,
    parent("Buckets", ...rows),
    last !== undefined && page.length < found.length ? element("ContinuationToken", formatToken(last)) : "",
    prefix === "" ? "" : element("Prefix", prefix),
  );
}

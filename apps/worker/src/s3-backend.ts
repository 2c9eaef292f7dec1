/** What the S3 door needs of the worker: each mount is a bucket. */
import { type Freshness, RinglightError, type Ufs } from "@ringlight/core";
import type { ListingCache, RequestContext, S3Backend } from "@ringlight/s3";
import type { BucketMaker } from "./bucket-maker.ts";
import type { MountTable } from "./mount-table.ts";
import type { ReadContext } from "./object-reader.ts";
import type { Router } from "./router.ts";
import { s3WriteBackend } from "./s3-write-backend.ts";
import { traceOf } from "./trace.ts";
import type { Writer } from "./writer.ts";

/** For how long the listings of an immutable mount are kept: its objects never change, but new ones come. */
const IMMUTABLE_LISTING_MS = 60_000;

function listingFreshMs(freshness: Freshness): number {
  if (freshness.kind === "strict") return 0;
  return freshness.kind === "ttl" ? freshness.ttlMs : IMMUTABLE_LISTING_MS;
}

/** What the backend is made of. */
export interface S3BackendParts {
  readonly mounts: MountTable;
  readonly router: Router;
  readonly writer: Writer;
  /** Whoever hears of writes tells them to it. */
  readonly listings: ListingCache;
  readonly buckets: BucketMaker;
}

/** Makes the backend of the S3 handler. */
export function s3Backend({ mounts, router, writer, listings, buckets }: S3BackendParts): S3Backend {
  /** The store that a mount's listings were read from: one that was mounted anew under an old name has others. */
  const listed = new Map<string, Ufs>();
  const reading = ({ signal, status, traceparent }: RequestContext): ReadContext => ({
    signal,
    status,
    ...traceOf({ traceparent }),
  });
  return {
    writes: s3WriteBackend(mounts, router, writer, buckets),
    listBuckets: async () => mounts.list().map(({ name, createdMs }) => ({ name, createdMs })),
    bucketExists: (bucket) => mounts.list().some(({ name }) => name === bucket),
    head: (bucket, key, ctx) => router.head(bucket, key, reading(ctx)),
    read: (bucket, key, plan, ctx) => {
      if (key === "") throw new RinglightError("RL_BAD_REQUEST", "an object's key cannot be empty");
      return router.open(bucket, key, plan, reading(ctx));
    },
    doorOf: (bucket, key, offset) =>
      mounts.peek(bucket) === undefined ? undefined : router.elsewhere(bucket, key, offset)?.addresses.s3,
    list: async (bucket, request, ctx) => {
      const { ufs } = await mounts.get(bucket);
      if (listed.get(bucket) !== ufs) {
        listed.set(bucket, ufs);
        listings.forget(bucket);
      }
      const freshMs = listingFreshMs(mounts.record(bucket).freshness);
      return listings.list(bucket, request, freshMs, (asked) => ufs.list(asked, { signal: ctx.signal }));
    },
  };
}

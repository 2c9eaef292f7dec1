/** What the S3 door needs of the worker: each mount is a bucket. */
import { RinglightError } from "@ringlight/core";
import type { RequestContext, S3Backend } from "@ringlight/s3";
import type { MountTable } from "./mount-table.ts";
import type { EntryContext, Router } from "./router.ts";
import { traceOf } from "./trace.ts";

/** Makes the backend of the S3 handler. */
export function s3Backend(mounts: MountTable, router: Router): S3Backend {
  const context = ({ signal, status, traceparent }: RequestContext): EntryContext => {
    const trace = traceOf({ traceparent });
    status.traceId = trace.traceId;
    return { signal, status, ...trace };
  };
  return {
    listBuckets: async () => mounts.list().map(({ name, createdMs }) => ({ name, createdMs })),
    bucketExists: (bucket) => mounts.list().some(({ name }) => name === bucket),
    head: (bucket, key, ctx) => router.head(bucket, key, context(ctx)),
    read: (bucket, key, plan, ctx) => {
      if (key === "") throw new RinglightError("RL_BAD_REQUEST", "an object's key cannot be empty");
      return router.open(bucket, key, plan, context(ctx));
    },
    list: async (bucket, request, ctx) => (await mounts.get(bucket)).ufs.list(request, { signal: ctx.signal }),
  };
}

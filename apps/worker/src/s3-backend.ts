/** What the S3 door needs of the worker: each mount is a bucket. */
import { RinglightError } from "@ringlight/core";
import type { RequestContext, S3Backend } from "@ringlight/s3";
import { newTraceContext, recordSpan } from "@ringlight/telemetry";
import type { MountTable } from "./mount-table.ts";
import type { ReadContext } from "./object-reader.ts";
import type { Router } from "./router.ts";
import { s3WriteBackend } from "./s3-write-backend.ts";
import { isWorthASpan, readAttributes } from "./trace.ts";
import type { Writer } from "./writer.ts";

/** Makes the backend of the S3 handler. */
export function s3Backend(mounts: MountTable, router: Router, writer: Writer): S3Backend {
  const traced = async <T>(
    name: string,
    request: RequestContext,
    serve: (context: ReadContext) => Promise<T>,
  ): Promise<T> => {
    const { signal, status } = request;
    const trace = newTraceContext(request.traceparent);
    const startMs = Date.now();
    const startedMs = performance.now();
    const span = (error?: unknown) => {
      const durationMs = performance.now() - startedMs;
      if (!isWorthASpan(status, durationMs, trace.sampled, error !== undefined)) return;
      recordSpan({
        context: trace,
        name,
        kind: "server",
        startMs,
        endMs: startMs + durationMs,
        attributes: readAttributes(status),
        error,
      });
    };
    status.traceId = trace.traceId;
    try {
      const result = await serve({ signal, status, traceId: trace.traceId, traceparent: trace.traceparent });
      span();
      return result;
    } catch (error) {
      span(error);
      throw error;
    }
  };
  return {
    writes: s3WriteBackend(mounts, router, writer),
    listBuckets: async () => mounts.list().map(({ name, createdMs }) => ({ name, createdMs })),
    bucketExists: (bucket) => mounts.list().some(({ name }) => name === bucket),
    head: (bucket, key, ctx) => traced("s3.HeadObject", ctx, (context) => router.head(bucket, key, context)),
    read: (bucket, key, plan, ctx) => {
      if (key === "") throw new RinglightError("RL_BAD_REQUEST", "an object's key cannot be empty");
      return traced("s3.GetObject", ctx, (context) => router.open(bucket, key, plan, context));
    },
    list: async (bucket, request, ctx) => (await mounts.get(bucket)).ufs.list(request, { signal: ctx.signal }),
  };
}

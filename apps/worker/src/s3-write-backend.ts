/** The writes of the S3 door: each mount is a bucket, and the objects of a request go through the writer. */
import {
  type ByteRange,
  isRinglightError,
  newReadStatus,
  type ObjectMeta,
  RinglightError,
  type SourceConditions,
  type UfsWrites,
} from "@ringlight/core";
import { conditionsFromHeaders, type ReadPlan, type RequestContext, type S3WriteBackend } from "@ringlight/s3";
import { type BucketMaker, isMadeBucket } from "./bucket-maker.ts";
import type { MountTable } from "./mount-table.ts";
import type { ReadContext } from "./object-reader.ts";
import type { Router } from "./router.ts";
import { traceOf } from "./trace.ts";
import { copyFromElsewhere, type Writer } from "./writer.ts";

/** What a single PUT of S3 takes at most, bytes; a copy between mounts is one. */
const MAX_COPY_BYTES = 5 * 1024 ** 3;

/** Makes the write side of the S3 backend. */
export function s3WriteBackend(
  mounts: MountTable,
  router: Router,
  writer: Writer,
  buckets: BucketMaker,
): S3WriteBackend {
  const reading = async (mount: string): Promise<UfsWrites> => writer.writesOf(await mounts.get(mount));
  /** Reads a range of another mount's object for a copy; `length` is what the stream will yield. */
  const elsewhere = async (
    mount: string,
    key: string,
    conditions: SourceConditions | undefined,
    range: ByteRange | undefined,
    context: RequestContext,
  ): Promise<{ meta: ObjectMeta; stream: AsyncIterable<Uint8Array>; sizeBytes: number }> => {
    const read: ReadContext = { signal: context.signal, status: newReadStatus(), ...traceOf(context) };
    const plan: ReadPlan = {
      conditions: conditionsFromHeaders({
        "if-match": conditions?.ifMatch,
        "if-none-match": conditions?.ifNoneMatch,
        "if-modified-since": conditions?.ifModifiedSince,
        "if-unmodified-since": conditions?.ifUnmodifiedSince,
      }),
      ...(range && { range: { kind: "from-to", start: range.start, end: range.end } }),
    };
    const opened = await router.open(mount, key, plan, read);
    if (opened.outcome !== "ok") {
      const code = opened.outcome === "bad-range" ? "RL_BAD_RANGE" : "RL_PRECONDITION_FAILED";
      throw new RinglightError(code, `the source /${mount}/${key} does not meet the copy's conditions`);
    }
    const sizeBytes = opened.range === undefined ? 0 : opened.range.end - opened.range.start + 1;
    if (sizeBytes > MAX_COPY_BYTES) {
      const text = `the source /${mount}/${key} is larger than 5 GiB; copy it in parts`;
      throw new RinglightError("RL_ENTITY_TOO_LARGE", text);
    }
    return { meta: opened.meta, stream: opened.body, sizeBytes };
  };
  /** Tags of another mount's object, in the form of the header; undefined where it has none, or its store knows none. */
  const tagsOf = async (mount: string, key: string, context: RequestContext): Promise<string | undefined> => {
    try {
      const tags = await (await reading(mount)).getTagging(key, { signal: context.signal });
      if (tags.length === 0) return undefined;
      return new URLSearchParams(tags.map((tag): [string, string] => [tag.key, tag.value])).toString();
    } catch (error) {
      if (isRinglightError(error, "RL_NOT_IMPLEMENTED")) return undefined;
      throw error;
    }
  };
  const here = ({ signal }: RequestContext) => ({ signal });

  return {
    put: (bucket, key, request, context) =>
      writer.write(bucket, [key], (writes) => writes.put(key, request, here(context))),
    copy: async (bucket, key, asked, context) => {
      const { sourceBucket, ...copy } = asked;
      if (sourceBucket === bucket) {
        return writer.write(bucket, [key], (writes) => writes.copy(key, copy, here(context)));
      }
      await writer.writable(bucket);
      const source = await elsewhere(sourceBucket, copy.sourceKey, copy.sourceConditions, undefined, context);
      const tagging = copy.tagging ?? (await tagsOf(sourceBucket, copy.sourceKey, context));
      const request = { ...copy, ...(tagging !== undefined && { tagging }) };
      return writer.write(bucket, [key], (writes) =>
        copyFromElsewhere(writes, key, request, source, source.sizeBytes, here(context)),
      );
    },
    delete: (bucket, key, conditions, context) =>
      writer.write(bucket, [key], (writes) => writes.delete(key, conditions, here(context))),
    deleteMany: (bucket, items, context) =>
      writer.write(
        bucket,
        items.map(({ key }) => key),
        (writes) => writes.deleteMany(items, here(context)),
      ),
    createUpload: async (bucket, key, request, context) =>
      (await writer.writable(bucket)).writes.createUpload(key, request, here(context)),
    uploadPart: async (bucket, key, { uploadId, partNumber, body }, context) =>
      (await writer.writable(bucket)).writes.uploadPart(key, uploadId, partNumber, body, here(context)),
    uploadPartCopy: async (bucket, key, request, context) => {
      const { sourceBucket, uploadId, partNumber, ...copy } = request;
      const { writes } = await writer.writable(bucket);
      if (sourceBucket === bucket) return writes.uploadPartCopy(key, uploadId, partNumber, copy, here(context));
      const source = await elsewhere(sourceBucket, copy.sourceKey, copy.sourceConditions, copy.range, context);
      return writes.uploadPart(key, uploadId, partNumber, source, here(context));
    },
    listParts: async (bucket, key, { uploadId, ...page }, context) =>
      (await reading(bucket)).listParts(key, uploadId, page, here(context)),
    completeUpload: (bucket, key, { uploadId, ...request }, context) =>
      writer.write(bucket, [key], (writes) => writes.completeUpload(key, uploadId, request, here(context))),
    abortUpload: async (bucket, key, uploadId, context) =>
      (await writer.writable(bucket)).writes.abortUpload(key, uploadId, here(context)),
    listUploads: async (bucket, request, context) => (await reading(bucket)).listUploads(request, here(context)),

    getTagging: async (bucket, key, context) => (await reading(bucket)).getTagging(key, here(context)),
    putTagging: (bucket, key, tags, context) =>
      writer.write(bucket, [key], (writes) => writes.putTagging(key, tags, here(context))),
    deleteTagging: (bucket, key, context) =>
      writer.write(bucket, [key], (writes) => writes.deleteTagging(key, here(context))),

    attributes: async (bucket, key, context) => {
      const { ufs } = await mounts.get(bucket);
      return ufs.writes === undefined
        ? { meta: await ufs.head(key, here(context)) }
        : ufs.writes.attributes(key, here(context));
    },
    locatePart: async (bucket, key, partNumber, context) =>
      (await reading(bucket)).headPart(key, partNumber, here(context)),

    requireWritable: async (bucket) => {
      await writer.writable(bucket);
    },
    createBucket: async (bucket, context) => {
      if (!mounts.list().some(({ name }) => name === bucket)) {
        await buckets.make(bucket, here(context));
        return;
      }
      const { ufs } = await mounts.get(bucket);
      try {
        await ufs.check(here(context));
      } catch (error) {
        if (isRinglightError(error, "RL_UFS_DENIED")) throw error;
        const { writes } = await writer.writable(bucket);
        return writes.createBucket(here(context));
      }
      const message = "Your previous request to create the named bucket succeeded and you already own it.";
      throw new RinglightError("RL_CONFLICT", `the bucket "${bucket}" is there already`, {
        s3: { code: "BucketAlreadyOwnedByYou", status: 409, message },
      });
    },
    deleteBucket: async (bucket, context) => {
      const { record, ufs, writes } = await writer.writable(bucket);
      if (isMadeBucket(record)) await buckets.remove(record, ufs, here(context));
      // Without its directory such a mount would answer no request any more, and no client could make it again.
      else if (record.uri.startsWith("file:")) {
        const text = `the bucket "${bucket}" is a directory that an operator has mounted, and goes by \`ringlight mount rm\``;
        throw new RinglightError("RL_FORBIDDEN", text);
      } else await writes.deleteBucket(here(context));
    },
  };
}

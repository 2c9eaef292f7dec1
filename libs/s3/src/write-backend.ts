/** What the S3 protocol needs of whatever is behind it to write. The requests and results are those of a UFS, with a bucket in front. */
import type {
  CompleteRequest,
  CopyRequest,
  CreatedUpload,
  CreateUploadRequest,
  DeleteItem,
  DeleteOutcome,
  ListUploadsRequest,
  ObjectAttributes,
  ObjectTag,
  PartCopyRequest,
  PartPlace,
  PartsPage,
  PutRequest,
  UfsWriteBody,
  UploadsPage,
  WriteConditions,
  WriteResult,
  WrittenPart,
} from "@ringlight/core";
import type { RequestContext } from "./backend.ts";

/** A part of a multipart upload. */
export interface PartTarget {
  readonly uploadId: string;
  /** 1 to 10000. */
  readonly partNumber: number;
}

/**
 * The writes behind the protocol: write-through, so that what a method resolved to is in the store, and is what every reader
 * of every worker sees from then on. The protocol has checked signature, policy and form of the request; names of buckets
 * and keys are legal. The bytes of a body are verified as they pass, and the last of them held back until all is proved: a
 * backend that has fewer than announced when the stream throws leaves the object as it was. The protocol sends "100
 * Continue" when the stream is first read, so what can be refused without the bytes is best refused before.
 *
 * Thrown are codes of the table: RL_NO_SUCH_MOUNT, RL_NOT_FOUND, RL_READ_ONLY where the mount forbids the operation,
 * RL_NOT_IMPLEMENTED where its store has no such thing, and those of UfsWrites. An error's `s3` goes to the client as it is.
 */
export interface S3WriteBackend {
  put(bucket: string, key: string, request: PutRequest, context: RequestContext): Promise<WriteResult>;
  /** The result's `modifiedMs` goes into the answer; absent: now. */
  copy(
    bucket: string,
    key: string,
    request: CopyRequest & { readonly sourceBucket: string },
    context: RequestContext,
  ): Promise<WriteResult>;
  /** Succeeds when there is no such object. */
  delete(bucket: string, key: string, conditions: WriteConditions, context: RequestContext): Promise<void>;
  /** 1 to 1000 items. Throws only what is true of all of them. */
  deleteMany(bucket: string, items: readonly DeleteItem[], context: RequestContext): Promise<readonly DeleteOutcome[]>;
  createUpload(
    bucket: string,
    key: string,
    request: CreateUploadRequest,
    context: RequestContext,
  ): Promise<CreatedUpload>;
  uploadPart(
    bucket: string,
    key: string,
    part: PartTarget & { readonly body: UfsWriteBody },
    context: RequestContext,
  ): Promise<WrittenPart>;
  uploadPartCopy(
    bucket: string,
    key: string,
    request: PartTarget & PartCopyRequest & { readonly sourceBucket: string },
    context: RequestContext,
  ): Promise<WrittenPart>;
  listParts(
    bucket: string,
    key: string,
    request: { readonly uploadId: string; readonly partNumberMarker: number; readonly maxParts: number },
    context: RequestContext,
  ): Promise<PartsPage>;
  /** The protocol has checked that there are parts, in ascending order. */
  completeUpload(
    bucket: string,
    key: string,
    request: CompleteRequest & { readonly uploadId: string },
    context: RequestContext,
  ): Promise<WriteResult>;
  abortUpload(bucket: string, key: string, uploadId: string, context: RequestContext): Promise<void>;
  listUploads(bucket: string, request: ListUploadsRequest, context: RequestContext): Promise<UploadsPage>;

  getTagging(bucket: string, key: string, context: RequestContext): Promise<readonly ObjectTag[]>;
  putTagging(bucket: string, key: string, tags: readonly ObjectTag[], context: RequestContext): Promise<void>;
  deleteTagging(bucket: string, key: string, context: RequestContext): Promise<void>;

  /** Metadata with checksums and parts, which may cost the store more than a HEAD. */
  attributes(bucket: string, key: string, context: RequestContext): Promise<ObjectAttributes>;
  /** @throws RL_BAD_RANGE where the object has no such part */
  locatePart(bucket: string, key: string, partNumber: number, context: RequestContext): Promise<PartPlace>;

  /** @throws RL_NO_SUCH_MOUNT, RL_READ_ONLY */
  requireWritable(bucket: string): Promise<void>;
  /** @throws RL_CONFLICT where it is there already, RL_FORBIDDEN where buckets are not made by S3 clients */
  createBucket(bucket: string, context: RequestContext): Promise<void>;
  /** @throws RL_NOT_EMPTY */
  deleteBucket(bucket: string, context: RequestContext): Promise<void>;
}

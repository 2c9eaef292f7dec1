/** The operations that need the write side of a backend, by name. */

import { putAcl } from "./acl.ts";
import { createBucket, deleteBucket, deleteTagging, getTagging, putTagging } from "./buckets-and-tags.ts";
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
  uploadPartCopy,
} from "./multipart.ts";
import { postObject } from "./post-object.ts";
import { copyObject, deleteObject, deleteObjects, putObject } from "./put-object.ts";
import type { WriteCall } from "./write-call.ts";

/** Serves one call. @throws what the backend throws, and S3Error */
export type ServeWrite = (call: WriteCall) => Promise<void>;

/** What serves each operation that writes, or that reads what only writers know of. */
export const WRITE_OPERATIONS: ReadonlyMap<string, ServeWrite> = new Map<string, ServeWrite>([
  ["PutObject", putObject],
  ["CopyObject", copyObject],
  ["PostObject", postObject],
  ["DeleteObject", deleteObject],
  ["DeleteObjects", deleteObjects],
  ["CreateMultipartUpload", createUpload],
  ["UploadPart", uploadPart],
  ["UploadPartCopy", uploadPartCopy],
  ["ListParts", listParts],
  ["CompleteMultipartUpload", completeUpload],
  ["AbortMultipartUpload", abortUpload],
  ["ListMultipartUploads", listUploads],
  ["GetObjectTagging", getTagging],
  ["PutObjectTagging", putTagging],
  ["DeleteObjectTagging", deleteTagging],
  ["PutObjectAcl", putAcl],
  ["PutBucketAcl", putAcl],
  ["CreateBucket", createBucket],
  ["DeleteBucket", deleteBucket],
]);

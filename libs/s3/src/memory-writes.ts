/**
 * The writes of the memory backend, with the semantics of S3: a model to compare others with. It is longer than other files
 * for it is one class that implements one interface of eighteen short methods on two shared maps.
 */
import { createHash, randomUUID } from "node:crypto";
import { checksumBase64, compositeChecksum, fullObjectChecksum, isCrc } from "@ringlight/checksum";
import {
  type ChecksumAlgorithm,
  type CompleteRequest,
  type CopyRequest,
  type CreatedUpload,
  type CreateUploadRequest,
  type DeleteItem,
  type DeleteOutcome,
  isRinglightError,
  type ListUploadsRequest,
  type ObjectAttributes,
  type ObjectChecksums,
  type ObjectMeta,
  type ObjectSettings,
  type ObjectTag,
  type PartCopyRequest,
  type PartPlace,
  type PartsPage,
  type PutRequest,
  RinglightError,
  type UfsWriteBody,
  type UploadsPage,
  type WriteConditions,
  type WriteResult,
  type WrittenPart,
} from "@ringlight/core";
import { checkSourceConditions, checkWriteConditions } from "./conditions.ts";
import type { MemoryBackend, MemoryObject } from "./memory-backend.ts";
import { compareKeys } from "./memory-backend.ts";
import { parseTaggingHeader } from "./write/tags.ts";
import type { PartTarget, S3WriteBackend } from "./write-backend.ts";

interface Part {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly modifiedMs: number;
  readonly checksums: ObjectChecksums | undefined;
}

interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly request: CreateUploadRequest;
  readonly initiatedMs: number;
  readonly parts: Map<number, Part>;
}

type Properties = Partial<ObjectMeta> & { readonly tags?: readonly ObjectTag[] };

function properties(settings: ObjectSettings | undefined): Properties {
  const { tagging, ...rest } = settings ?? {};
  return { ...rest, ...(tagging !== undefined && { tags: parseTaggingHeader(tagging) }) };
}

function md5(bytes: Uint8Array): Buffer {
  return createHash("md5").update(bytes).digest();
}

/** Longest body that is not streamed, bytes. */
const COLLECTED_BYTES = 1024 * 1024;

async function readAll(body: UfsWriteBody): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // As stores do: short bodies are collected, longer ones streamed.
  if (body.collect !== undefined && body.sizeBytes <= COLLECTED_BYTES) pieces.push(...(await body.collect()));
  else for await (const piece of body.stream) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  if (bytes.length !== body.sizeBytes) throw new RinglightError("RL_INTERNAL", "the body has not the length it said");
  return bytes;
}

function checksumsOf(body: UfsWriteBody): ObjectChecksums | undefined {
  const value = body.checksum?.value();
  return body.checksum && value !== undefined
    ? { type: "FULL_OBJECT", values: { [body.checksum.algorithm]: value } }
    : undefined;
}

/** Writes into the objects of a MemoryBackend. */
export class MemoryWrites implements S3WriteBackend {
  readonly #store: MemoryBackend;
  readonly #uploads = new Map<string, Upload>();
  /** Buckets that are not written to. */
  readonly readOnly = new Set<string>();
  /** Least size of a part that is not the last. */
  minPartBytes = 5 * 1024 * 1024;

  constructor(store: MemoryBackend) {
    this.#store = store;
  }

  #writable(bucket: string): void {
    if (!this.#store.bucketExists(bucket)) {
      throw new RinglightError("RL_NO_SUCH_MOUNT", `there is no bucket "${bucket}"`);
    }
    if (this.readOnly.has(bucket)) {
      throw new RinglightError("RL_READ_ONLY", `the mount "${bucket}" is read-only; write to the store directly`);
    }
  }

  #keep(bucket: string, key: string, bytes: Buffer, given: Properties, etag: string, parts?: MemoryObject["parts"]) {
    const { tags, ...kept } = given;
    const meta: ObjectMeta = {
      ...kept,
      sizeBytes: bytes.length,
      version: `${etag}-${randomUUID()}`,
      etag,
      modifiedMs: Date.now(),
      ...(tags && tags.length > 0 && { taggingCount: tags.length }),
      ...(parts && { partsCount: parts.length }),
    };
    this.#store.set(bucket, key, { bytes, meta, ...(tags && { tags }), ...(parts && { parts }) });
    const { version, modifiedMs, checksums, headers } = meta;
    return {
      version,
      etag,
      sizeBytes: bytes.length,
      modifiedMs,
      ...(checksums && { checksums }),
      ...(headers && { headers }),
    };
  }

  async put(bucket: string, key: string, request: PutRequest): Promise<WriteResult> {
    this.#writable(bucket);
    checkWriteConditions(request.conditions, this.#store.find(bucket, key)?.meta);
    const bytes = await readAll(request.body);
    this.#writable(bucket);
    // Again, in one step with the write: the body took its time.
    checkWriteConditions(request.conditions, this.#store.find(bucket, key)?.meta);
    const checksums = checksumsOf(request.body);
    const given = { ...properties(request.settings), ...(checksums && { checksums }) };
    return this.#keep(bucket, key, bytes, given, `"${md5(bytes).toString("hex")}"`);
  }

  async copy(
    bucket: string,
    key: string,
    request: CopyRequest & { readonly sourceBucket: string },
  ): Promise<WriteResult> {
    this.#writable(bucket);
    const source = this.#store.get(request.sourceBucket, request.sourceKey);
    checkSourceConditions(request.sourceConditions, source.meta);
    checkWriteConditions(request.conditions, this.#store.find(bucket, key)?.meta);
    const { partsCount: _, taggingCount: __, ...kept } = source.meta;
    const storageClass = request.headers?.["x-amz-storage-class"];
    const given: Properties = request.settings
      ? { ...properties(request.settings), ...(kept.checksums && { checksums: kept.checksums }) }
      : { ...kept, ...(storageClass !== undefined && { storageClass }) };
    const tags = request.tagging === undefined ? source.tags : parseTaggingHeader(request.tagging);
    const bytes = Buffer.from(source.bytes);
    const checksums = this.#checksumsOfCopy(request.checksumAlgorithm, bytes, given.checksums);
    return this.#keep(
      bucket,
      key,
      bytes,
      { ...given, ...(tags && { tags }), ...(checksums && { checksums }) },
      `"${md5(bytes).toString("hex")}"`,
    );
  }

  #checksumsOfCopy(asked: ChecksumAlgorithm | undefined, bytes: Buffer, old: ObjectChecksums | undefined) {
    const algorithm = asked ?? (old && (Object.keys(old.values)[0] as ChecksumAlgorithm | undefined));
    if (algorithm === undefined) return undefined;
    return { type: "FULL_OBJECT" as const, values: { [algorithm]: checksumBase64(algorithm, bytes) } };
  }

  async delete(bucket: string, key: string, conditions: WriteConditions): Promise<void> {
    this.#writable(bucket);
    if (conditions.ifMatch !== undefined) checkWriteConditions(conditions, this.#store.find(bucket, key)?.meta);
    this.#store.remove(bucket, key);
  }

  async deleteMany(bucket: string, items: readonly DeleteItem[]): Promise<DeleteOutcome[]> {
    this.#writable(bucket);
    const outcomes: DeleteOutcome[] = [];
    for (const { key, ifMatch } of items) {
      try {
        await this.delete(bucket, key, ifMatch === undefined ? {} : { ifMatch });
        outcomes.push({ key });
      } catch (error) {
        if (!isRinglightError(error)) throw error;
        outcomes.push({ key, error: { code: error.info.s3, message: error.message } });
      }
    }
    return outcomes;
  }

  async createUpload(bucket: string, key: string, request: CreateUploadRequest): Promise<CreatedUpload> {
    this.#writable(bucket);
    const uploadId = randomUUID();
    this.#uploads.set(uploadId, { bucket, key, uploadId, request, initiatedMs: Date.now(), parts: new Map() });
    return { uploadId };
  }

  #upload(bucket: string, key: string, uploadId: string): Upload {
    this.#writable(bucket);
    const upload = this.#uploads.get(uploadId);
    if (!upload || upload.bucket !== bucket || upload.key !== key) {
      throw new RinglightError(
        "RL_NO_SUCH_UPLOAD",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
      );
    }
    return upload;
  }

  #addPart(upload: Upload, partNumber: number, bytes: Buffer, given: ObjectChecksums | undefined): WrittenPart {
    const algorithm = upload.request.checksumAlgorithm;
    const checksums: ObjectChecksums | undefined =
      given ?? (algorithm && { type: "FULL_OBJECT", values: { [algorithm]: checksumBase64(algorithm, bytes) } });
    const part: Part = { bytes, etag: `"${md5(bytes).toString("hex")}"`, modifiedMs: Date.now(), checksums };
    upload.parts.set(partNumber, part);
    return { etag: part.etag, modifiedMs: part.modifiedMs, ...(checksums && { checksums }) };
  }

  async uploadPart(
    bucket: string,
    key: string,
    part: PartTarget & { readonly body: UfsWriteBody },
  ): Promise<WrittenPart> {
    this.#upload(bucket, key, part.uploadId);
    const bytes = await readAll(part.body);
    return this.#addPart(this.#upload(bucket, key, part.uploadId), part.partNumber, bytes, checksumsOf(part.body));
  }

  async uploadPartCopy(
    bucket: string,
    key: string,
    request: PartTarget & PartCopyRequest & { readonly sourceBucket: string },
  ): Promise<WrittenPart> {
    const upload = this.#upload(bucket, key, request.uploadId);
    const source = this.#store.get(request.sourceBucket, request.sourceKey);
    checkSourceConditions(request.sourceConditions, source.meta);
    const { start, end } = request.range ?? { start: 0, end: source.bytes.length - 1 };
    if (end >= source.bytes.length && request.range) {
      throw new RinglightError("RL_BAD_RANGE", "Range specified is not valid for the source object", {
        s3: {
          code: "InvalidArgument",
          status: 400,
          message: `Range specified is not valid for source object of size: ${source.bytes.length}`,
        },
      });
    }
    return this.#addPart(upload, request.partNumber, Buffer.from(source.bytes.subarray(start, end + 1)), undefined);
  }

  async listParts(
    bucket: string,
    key: string,
    request: { readonly uploadId: string; readonly partNumberMarker: number; readonly maxParts: number },
  ): Promise<PartsPage> {
    const upload = this.#upload(bucket, key, request.uploadId);
    const after = [...upload.parts].filter(([number]) => number > request.partNumberMarker).sort(([a], [b]) => a - b);
    const page = after.slice(0, request.maxParts);
    const { checksumAlgorithm, checksumType, settings } = upload.request;
    return {
      parts: page.map(([partNumber, part]) => ({
        partNumber,
        etag: part.etag,
        sizeBytes: part.bytes.length,
        modifiedMs: part.modifiedMs,
        ...(part.checksums && { checksums: part.checksums }),
      })),
      truncated: page.length < after.length,
      nextPartNumberMarker: page.at(-1)?.[0] ?? 0,
      ...(settings?.storageClass !== undefined && { storageClass: settings.storageClass }),
      ...(checksumAlgorithm && { checksumAlgorithm }),
      ...(checksumType && { checksumType }),
    };
  }

  async completeUpload(
    bucket: string,
    key: string,
    request: CompleteRequest & { readonly uploadId: string },
  ): Promise<WriteResult> {
    const upload = this.#upload(bucket, key, request.uploadId);
    checkWriteConditions(request.conditions, this.#store.find(bucket, key)?.meta);
    const invalid = () =>
      new RinglightError(
        "RL_INVALID_PART",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
      );
    const parts = request.parts.map(({ partNumber, etag, checksums }) => {
      const part = upload.parts.get(partNumber);
      if (!part || part.etag !== etag) throw invalid();
      for (const [algorithm, value] of Object.entries(checksums ?? {})) {
        if (part.checksums?.values[algorithm as ChecksumAlgorithm] !== value) throw invalid();
      }
      return { partNumber, part };
    });
    if (parts.slice(0, -1).some(({ part }) => part.bytes.length < this.minPartBytes)) {
      throw new RinglightError(
        "RL_ENTITY_TOO_SMALL",
        "Your proposed upload is smaller than the minimum allowed object size.",
      );
    }
    const bytes = Buffer.concat(parts.map(({ part }) => part.bytes));
    if (request.sizeBytes !== undefined && request.sizeBytes !== bytes.length) {
      throw new RinglightError("RL_BAD_REQUEST", "The provided 'x-amz-mp-object-size' header does not match the size.");
    }
    const checksums = this.#checksumsOfWhole(
      upload,
      parts.map(({ part }) => part),
    );
    for (const [name, value] of Object.entries(request.checksums?.values ?? {})) {
      const whole = checksums?.values[name as ChecksumAlgorithm];
      if (whole !== value && whole?.replace(/-\d+$/, "") !== value) {
        throw new RinglightError("RL_BAD_DIGEST", `The ${name} you specified did not match the calculated checksum.`);
      }
    }
    const etag = `"${md5(Buffer.concat(parts.map(({ part }) => md5(part.bytes)))).toString("hex")}-${parts.length}"`;
    this.#uploads.delete(upload.uploadId);
    return this.#keep(
      bucket,
      key,
      bytes,
      { ...properties(upload.request.settings), ...(checksums && { checksums }) },
      etag,
      parts.map(({ partNumber, part }) => ({
        partNumber,
        sizeBytes: part.bytes.length,
        ...(part.checksums && { checksums: part.checksums.values }),
      })),
    );
  }

  #checksumsOfWhole(upload: Upload, parts: readonly Part[]): ObjectChecksums | undefined {
    const { checksumAlgorithm: algorithm, checksumType } = upload.request;
    if (!algorithm) return undefined;
    const given = parts.map((part) => ({
      checksum: part.checksums?.values[algorithm] ?? "",
      sizeBytes: part.bytes.length,
    }));
    const type = checksumType ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
    const value =
      type === "FULL_OBJECT" && isCrc(algorithm)
        ? fullObjectChecksum(algorithm, given)
        : compositeChecksum(algorithm, given);
    return { type, values: { [algorithm]: value } };
  }

  async abortUpload(bucket: string, key: string, uploadId: string): Promise<void> {
    this.#upload(bucket, key, uploadId);
    this.#uploads.delete(uploadId);
  }

  async listUploads(bucket: string, request: ListUploadsRequest): Promise<UploadsPage> {
    if (!this.#store.bucketExists(bucket)) throw new RinglightError("RL_NO_SUCH_MOUNT", `no bucket "${bucket}"`);
    const { prefix, delimiter, keyMarker, uploadIdMarker, maxUploads } = request;
    const all = [...this.#uploads.values()]
      .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix))
      .sort((a, b) => compareKeys(a.key, b.key) || compareKeys(a.uploadId, b.uploadId));
    const uploads: Upload[] = [];
    const commonPrefixes: string[] = [];
    let last: Upload | undefined;
    for (const upload of all) {
      const order = compareKeys(upload.key, keyMarker);
      if (
        keyMarker !== "" &&
        (order < 0 || (order === 0 && (uploadIdMarker === "" || upload.uploadId <= uploadIdMarker)))
      ) {
        continue;
      }
      const cut = delimiter === "" ? -1 : upload.key.indexOf(delimiter, prefix.length);
      const rolled = cut === -1 ? undefined : upload.key.slice(0, cut + delimiter.length);
      if (
        rolled !== undefined &&
        (rolled === commonPrefixes.at(-1) || (keyMarker !== "" && keyMarker.startsWith(rolled)))
      ) {
        last = upload;
        continue;
      }
      if (uploads.length + commonPrefixes.length === maxUploads) {
        const next = { nextKeyMarker: last?.key ?? "", nextUploadIdMarker: last?.uploadId ?? "" };
        return { uploads: uploads.map(describeUpload), commonPrefixes, truncated: true, ...next };
      }
      if (rolled === undefined) uploads.push(upload);
      else commonPrefixes.push(rolled);
      last = upload;
    }
    return {
      uploads: uploads.map(describeUpload),
      commonPrefixes,
      truncated: false,
      nextKeyMarker: "",
      nextUploadIdMarker: "",
    };
  }

  async getTagging(bucket: string, key: string): Promise<readonly ObjectTag[]> {
    return this.#store.get(bucket, key).tags ?? [];
  }

  async putTagging(bucket: string, key: string, tags: readonly ObjectTag[]): Promise<void> {
    this.#writable(bucket);
    const object = this.#store.get(bucket, key);
    const { taggingCount: _, ...meta } = object.meta;
    this.#store.set(bucket, key, {
      ...object,
      tags,
      meta: { ...meta, ...(tags.length > 0 && { taggingCount: tags.length }) },
    });
  }

  async deleteTagging(bucket: string, key: string): Promise<void> {
    await this.putTagging(bucket, key, []);
  }

  async attributes(bucket: string, key: string): Promise<ObjectAttributes> {
    const { meta, parts } = this.#store.get(bucket, key);
    return { meta, ...(parts && { parts }) };
  }

  async locatePart(bucket: string, key: string, partNumber: number): Promise<PartPlace> {
    const { meta, parts } = this.#store.get(bucket, key);
    const list = parts ?? [{ partNumber: 1, sizeBytes: meta.sizeBytes, checksums: undefined }];
    let start = 0;
    for (const [index, part] of list.entries()) {
      if (index + 1 === partNumber) {
        const range = { start, end: start + part.sizeBytes - 1 };
        const values = part.checksums;
        return {
          meta,
          ...(part.sizeBytes > 0 && { range }),
          partsCount: list.length,
          ...(values && { checksums: { type: meta.checksums?.type ?? "FULL_OBJECT", values } }),
        };
      }
      start += part.sizeBytes;
    }
    throw new RinglightError("RL_BAD_RANGE", `the object has ${list.length} parts`);
  }

  async requireWritable(bucket: string): Promise<void> {
    this.#writable(bucket);
  }

  async createBucket(bucket: string): Promise<void> {
    if (this.#store.bucketExists(bucket)) throw new RinglightError("RL_CONFLICT", `there is a bucket "${bucket}"`);
    this.#store.addBucket(bucket);
  }

  async deleteBucket(bucket: string): Promise<void> {
    this.#writable(bucket);
    if (this.#store.keys(bucket).length > 0) {
      throw new RinglightError("RL_NOT_EMPTY", "The bucket you tried to delete is not empty");
    }
    this.#store.removeBucket(bucket);
  }
}

function describeUpload(upload: Upload): UploadsPage["uploads"][number] {
  const { key, uploadId, initiatedMs, request } = upload;
  const { checksumAlgorithm, checksumType } = request;
  const storageClass = request.settings?.storageClass;
  return {
    key,
    uploadId,
    initiatedMs,
    ...(storageClass !== undefined && { storageClass }),
    ...(checksumAlgorithm && { checksumAlgorithm }),
    ...(checksumType && { checksumType }),
  };
}

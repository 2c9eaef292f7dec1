/** The write side of a UFS. Bodies stream; every write either takes effect whole or leaves the object as it was. */
import type { ByteRange, ObjectMeta, UfsCallOptions } from "./ufs.ts";

/** Checksum algorithms of S3, as its headers spell them. */
export type ChecksumAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME" | "SHA1" | "SHA256";

/** Checksums of an object or a part: base64 by algorithm. A composite one covers the parts' checksums, not the bytes. */
export interface ObjectChecksums {
  readonly type: "FULL_OBJECT" | "COMPOSITE";
  readonly values: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
}

/** What is kept with an object besides its bytes. Values as S3's headers carry them. */
export interface ObjectSettings {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
  readonly expires?: string;
  readonly storageClass?: string;
  /** User metadata, names in lower case without the x-amz-meta- prefix. */
  readonly userMetadata?: Readonly<Record<string, string>>;
  /** Tags as the header x-amz-tagging has them: `a=1&b=2`, percent-encoded. */
  readonly tagging?: string;
  /**
   * Further x-amz-* headers for the store (server-side encryption, ACL, website redirect, object lock), names in lower
   * case. An s3:// store gets them as they are; a store that cannot honour one throws RL_NOT_IMPLEMENTED naming it.
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Conditions on the object that a write replaces or removes; values as the HTTP headers carry them. @throws RL_PRECONDITION_FAILED */
export interface WriteConditions {
  /** Only if the current ETag is this one (`*`: any). RL_NOT_FOUND where there is no object. */
  readonly ifMatch?: string;
  /** `*`: only if there is no object; an ETag: only if the current one is another. */
  readonly ifNoneMatch?: string;
}

/** Bytes to write. The bytes go to the store as they come; no more than a few pieces are held. */
export interface UfsWriteBody {
  readonly sizeBytes: number;
  /**
   * Yields exactly `sizeBytes` in pieces that are not written to again, or throws: then nothing is written, and the write throws what the stream threw. The last
   * piece is handed to the store only after the stream has ended, so that a check made at the end of the body still stops
   * the write.
   */
  readonly stream: AsyncIterable<Uint8Array>;
  /** All pieces of a body that is short enough to be held, in place of `stream`; throws as that does. */
  readonly collect?: () => Promise<Uint8Array[]>;
  /** MD5 as Content-MD5 has it, if the client sent one. Verified by whoever made the stream; passed on where it can be. */
  readonly contentMd5?: string;
  /** A checksum to be kept with the object. */
  readonly checksum?: {
    readonly algorithm: ChecksumAlgorithm;
    /** Base64; undefined before the stream has ended where it came as a trailer. */
    value(): string | undefined;
  };
}

/** What a write made. */
export interface WriteResult {
  /** Version token and ETag of the new object, as ObjectMeta has them. */
  readonly version: string;
  readonly etag: string;
  readonly sizeBytes?: number;
  readonly modifiedMs?: number;
  readonly checksums?: ObjectChecksums;
  /** Further headers of the store's answer for the client (server-side encryption, expiration), names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A new object. */
export interface PutRequest {
  readonly body: UfsWriteBody;
  readonly settings?: ObjectSettings;
  readonly conditions?: WriteConditions;
}

/** Conditions on the source of a copy; values as the x-amz-copy-source-if-* headers carry them. @throws RL_PRECONDITION_FAILED */
export interface SourceConditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  /** HTTP dates. */
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
}

/** A copy inside of one mount, or one store. */
export interface CopyRequest {
  readonly sourceKey: string;
  /**
   * URI of the mount that the source key is of, where that is another one of the same store: same kind, endpoint, region and
   * credentials. For s3:// only. @throws RL_NOT_IMPLEMENTED elsewhere
   */
  readonly sourceUri?: string;
  readonly sourceConditions?: SourceConditions;
  /** Settings of the new object; absent: those of the source (S3's metadata directive COPY). */
  readonly settings?: ObjectSettings;
  /** Tags of the new object as x-amz-tagging has them; absent: those of the source (S3's tagging directive COPY). */
  readonly tagging?: string;
  /** Headers of the store besides the settings: storage class and encryption of the copy. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly conditions?: WriteConditions;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
}

/** A multipart upload to begin. */
export interface CreateUploadRequest {
  readonly settings?: ObjectSettings;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ObjectChecksums["type"];
}

/** A multipart upload that was begun. */
export interface CreatedUpload {
  readonly uploadId: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A part that was stored. */
export interface WrittenPart {
  /** With quotes. */
  readonly etag: string;
  readonly checksums?: ObjectChecksums;
  readonly modifiedMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A part that is copied from an object of the same mount, or store. */
export interface PartCopyRequest {
  readonly sourceKey: string;
  /** See CopyRequest. */
  readonly sourceUri?: string;
  readonly sourceConditions?: SourceConditions;
  /** Absent: the whole source. */
  readonly range?: ByteRange;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One row of ListParts. */
export interface ListedPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly checksums?: ObjectChecksums;
}

/** A page of ListParts. */
export interface PartsPage {
  readonly parts: readonly ListedPart[];
  readonly truncated: boolean;
  /** Pass it as the marker of the next page; the number of the last part of this one, 0 if it is empty. */
  readonly nextPartNumberMarker: number;
  readonly storageClass?: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ObjectChecksums["type"];
}

/** A part as CompleteMultipartUpload names it. */
export interface CompletedPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksums?: ObjectChecksums["values"];
}

/** The end of a multipart upload. */
export interface CompleteRequest {
  /** In ascending order. */
  readonly parts: readonly CompletedPart[];
  readonly conditions?: WriteConditions;
  /** Checksum of the whole object that the store is to verify. */
  readonly checksums?: ObjectChecksums;
  /** Size that the client says the object has (x-amz-mp-object-size). */
  readonly sizeBytes?: number;
}

/** Which uploads to list. */
export interface ListUploadsRequest {
  readonly prefix: string;
  readonly delimiter: string;
  /** Exclusive start: keys after this one, and later uploads of it when uploadIdMarker is given. */
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly maxUploads: number;
}

/** One row of ListMultipartUploads. */
export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedMs: number;
  readonly storageClass?: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ObjectChecksums["type"];
}

/** A page of ListMultipartUploads. */
export interface UploadsPage {
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly nextKeyMarker: string;
  readonly nextUploadIdMarker: string;
}

/** One object to delete. */
export interface DeleteItem {
  readonly key: string;
  /** Only if the current ETag is this one. */
  readonly ifMatch?: string;
}

/** What became of one object of a DeleteObjects; `error` is absent where it is gone (or never was there). */
export interface DeleteOutcome {
  readonly key: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A tag. */
export interface ObjectTag {
  readonly key: string;
  readonly value: string;
}

/** Where one part of an object lies, as a GET with partNumber is answered. */
export interface PartPlace {
  readonly meta: ObjectMeta;
  /** Absent for an empty object. */
  readonly range?: ByteRange;
  /** 1 for an object that was not uploaded in parts; absent where the store does not tell. */
  readonly partsCount?: number;
  /** Of the part, where the store keeps such. */
  readonly checksums?: ObjectChecksums;
}

/** What is known of an object beyond its metadata. */
export interface ObjectAttributes {
  readonly meta: ObjectMeta;
  /** Of an object that was uploaded in parts, in order, where the store tells. */
  readonly parts?: readonly {
    readonly partNumber: number;
    readonly sizeBytes: number;
    readonly checksums?: ObjectChecksums["values"];
  }[];
}

/**
 * The writes of a UFS. When a call resolves the store has the new state; when it rejects with anything but RL_UFS_TIMEOUT,
 * RL_UFS_UNAVAILABLE or RL_UFS_ERROR, the old one stands. After those three the store may have either, whole. Errors are the
 * table's: RL_PRECONDITION_FAILED, RL_NOT_FOUND, RL_NO_SUCH_UPLOAD, RL_INVALID_PART, RL_INVALID_PART_ORDER,
 * RL_ENTITY_TOO_SMALL, RL_BAD_DIGEST, RL_BAD_REQUEST, RL_CONFLICT, RL_NOT_IMPLEMENTED, and the codes of Ufs.
 */
export interface UfsWrites {
  put(key: string, request: PutRequest, options?: UfsCallOptions): Promise<WriteResult>;
  /** Copies inside of the store, without the bytes passing here. */
  copy(key: string, request: CopyRequest, options?: UfsCallOptions): Promise<WriteResult>;
  /** Removes an object; no error where there is none. */
  delete(key: string, conditions?: WriteConditions, options?: UfsCallOptions): Promise<void>;
  /** Removes up to 1000 objects; outcomes in the order of the items. */
  deleteMany(items: readonly DeleteItem[], options?: UfsCallOptions): Promise<DeleteOutcome[]>;

  createUpload(key: string, request: CreateUploadRequest, options?: UfsCallOptions): Promise<CreatedUpload>;
  uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UfsWriteBody,
    options?: UfsCallOptions & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<WrittenPart>;
  uploadPartCopy(
    key: string,
    uploadId: string,
    partNumber: number,
    request: PartCopyRequest,
    options?: UfsCallOptions,
  ): Promise<WrittenPart>;
  listParts(
    key: string,
    uploadId: string,
    page: { readonly partNumberMarker: number; readonly maxParts: number },
    options?: UfsCallOptions,
  ): Promise<PartsPage>;
  completeUpload(
    key: string,
    uploadId: string,
    request: CompleteRequest,
    options?: UfsCallOptions,
  ): Promise<WriteResult>;
  abortUpload(key: string, uploadId: string, options?: UfsCallOptions): Promise<void>;
  listUploads(request: ListUploadsRequest, options?: UfsCallOptions): Promise<UploadsPage>;

  getTagging(key: string, options?: UfsCallOptions): Promise<ObjectTag[]>;
  putTagging(key: string, tags: readonly ObjectTag[], options?: UfsCallOptions): Promise<void>;
  deleteTagging(key: string, options?: UfsCallOptions): Promise<void>;

  /** Where a part of an object lies. @throws RL_BAD_RANGE where there is no such part */
  headPart(key: string, partNumber: number, options?: UfsCallOptions): Promise<PartPlace>;
  /** Metadata with the parts, which may cost the store more than a HEAD. */
  attributes(key: string, options?: UfsCallOptions): Promise<ObjectAttributes>;

  /** Makes the bucket (or directory) that the mount is bound to. @throws RL_CONFLICT where it is there */
  createBucket(options?: UfsCallOptions): Promise<void>;
  /** Removes the bucket (or directory), which must be empty. @throws RL_NOT_EMPTY */
  deleteBucket(options?: UfsCallOptions): Promise<void>;
}

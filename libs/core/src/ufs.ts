/** The under file system: the store behind a mount, beneath one interface. */
import type { StopSignal } from "./stop.ts";
import type { ObjectChecksums, UfsWrites } from "./ufs-write.ts";

/** What a UFS says of one object version. */
export interface ObjectMeta {
  readonly sizeBytes: number;
  /** Identifies the version: an S3 ETag with its quotes, or mtime-size-inode for files. Equal tokens mean equal bytes. */
  readonly version: string;
  /** ETag as shown to S3 clients, with quotes. */
  readonly etag: string;
  /** Last modification, milliseconds since the Unix epoch. */
  readonly modifiedMs: number;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
  readonly expires?: string;
  readonly storageClass?: string;
  /** User metadata, names in lower case without the x-amz-meta- prefix. */
  readonly userMetadata?: Readonly<Record<string, string>>;
  /** Checksums that the store keeps with the object. */
  readonly checksums?: ObjectChecksums;
  /** Parts that the object was uploaded in, where it was and the store tells. */
  readonly partsCount?: number;
  /** Number of the object's tags, where it has any and the store tells. */
  readonly taggingCount?: number;
  /** Further headers of the store for the client (x-amz-server-side-encryption*, x-amz-website-redirect-location...), lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One row of a listing. */
export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** Version token, as in ObjectMeta. */
  readonly version: string;
  readonly modifiedMs: number;
  readonly storageClass?: string;
}

/** What to list. */
export interface ListRequest {
  readonly prefix: string;
  /** Rolls keys up to the first delimiter after the prefix; "" lists all keys. */
  readonly delimiter: string;
  /** Exclusive start, in the order of keys' UTF-8 bytes: keys and common prefixes not greater than it are left out. */
  readonly startAfter: string;
  /** At most this many keys and common prefixes together; at least 1. */
  readonly maxKeys: number;
}

/** One page of a listing, keys and common prefixes each in the order of their UTF-8 bytes. */
export interface ListPage {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  /** Where the next page starts: pass it as startAfter. "" when not truncated. */
  readonly nextStartAfter: string;
}

/** Options of every UFS call. */
export interface UfsCallOptions {
  readonly signal?: StopSignal;
}

/** How a range of a version is read. */
export interface UfsReadOptions extends UfsCallOptions {
  /** The version's size, bytes, where it is known: what is read whole may be asked for without a range. */
  readonly sizeBytes?: number;
}

/** A body as it arrives from the UFS. Leaving the loop early cancels the transfer. */
export interface UfsBody {
  readonly meta: Pick<ObjectMeta, "version" | "sizeBytes">;
  readonly stream: AsyncIterable<Uint8Array>;
}

/** A range of bytes, both ends included, as in HTTP. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Memory that takes the bytes of a range, in order: a UFS that can puts them there itself, without a copy. */
export interface ByteSink {
  /** Free space for the bytes that come next; never empty before the range is complete. */
  space(): Uint8Array;
  /** So many more bytes lie at the start of what space() gave last. */
  advance(length: number): void;
}

/** One GET or HEAD request to a UFS, or one listing or check, as told to an observer. */
export interface UfsObservation {
  readonly op: "head" | "get" | "list" | "check" | "put" | "copy" | "delete" | "multipart" | "tagging" | "bucket";
  /** "ok", an error code, or "retried" for a request that failed and was repeated. */
  readonly status: string;
  readonly durationMs: number;
  readonly bytes: number;
}

/**
 * A UFS. Implementations are safe for concurrent use, honour the signal, bound every call in time themselves, retry what
 * is safe to retry, and throw RinglightError: RL_NOT_FOUND, RL_VERSION_CHANGED, RL_BAD_RANGE, RL_UFS_DENIED,
 * RL_UFS_UNAVAILABLE, RL_UFS_TIMEOUT or RL_UFS_ERROR. No error text carries a secret.
 */
export interface Ufs {
  /** The URI, without secrets. */
  readonly uri: string;
  /** Metadata of an object's current version. @throws RL_NOT_FOUND */
  head(key: string, options?: UfsCallOptions): Promise<ObjectMeta>;
  /**
   * Bytes of one range of exactly the given version. The stream yields exactly the range's bytes or throws; a change of
   * the object is RL_VERSION_CHANGED, before the first byte or later, and never other bytes.
   */
  read(key: string, version: string, range: ByteRange, options?: UfsCallOptions): Promise<UfsBody>;
  /**
   * The same as read(), with the bytes put into a sink that never makes the UFS wait. Resolves when the range is complete.
   * A UFS without it is read by read().
   */
  readInto?(key: string, version: string, range: ByteRange, sink: ByteSink, options?: UfsReadOptions): Promise<void>;
  /**
   * head() and readInto() in one request, for an object of which nothing is known: `begin` is told of the current version
   * and of the part of the range that the object has, and gives the sink. Bytes wait while it thinks.
   * @throws RL_BAD_RANGE where the object has no byte of the range (an empty object has none at all); else as head() and
   * readInto() do
   */
  readCurrent?(
    key: string,
    range: ByteRange,
    begin: (meta: ObjectMeta, range: ByteRange) => ByteSink | Promise<ByteSink>,
    options?: UfsReadOptions,
  ): Promise<void>;
  list(request: ListRequest, options?: UfsCallOptions): Promise<ListPage>;
  /** Proves that the store answers and that the credentials may list it. @throws what is wrong, naming the remedy. */
  check(options?: UfsCallOptions): Promise<void>;
  close(): Promise<void>;
  /** The store's writes; absent where this kind of store only reads. */
  readonly writes?: UfsWrites;
}

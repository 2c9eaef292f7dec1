/** An S3Backend that keeps objects in memory: a model of what S3 does, for the tests of this package. */
import { createHash } from "node:crypto";
import {
  type ListedObject,
  type ListPage,
  type ListRequest,
  type ObjectChecksums,
  type ObjectMeta,
  type ObjectTag,
  RinglightError,
} from "@ringlight/core";
import {
  type BucketInfo,
  type ReadPlan,
  type RequestContext,
  resolvePlan,
  type S3Backend,
  type S3Read,
} from "./backend.ts";
import { MemoryWrites } from "./memory-writes.ts";

/** An object of the memory backend. */
export interface MemoryObject {
  readonly bytes: Uint8Array;
  readonly meta: ObjectMeta;
  readonly tags?: readonly ObjectTag[];
  /** Of an object that was uploaded in parts. */
  readonly parts?: readonly MemoryPart[];
}

/** A part of an object that was uploaded in parts. */
export interface MemoryPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly checksums?: ObjectChecksums["values"];
}

/** Order of keys: that of their UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Lists sorted keys as the contract of ListRequest says; `keyAt` gives the keys in order of their UTF-8 bytes. */
export function listSorted(
  count: number,
  keyAt: (index: number) => string,
  describe: (index: number) => ListedObject,
  request: ListRequest,
): ListPage {
  const { prefix, delimiter, startAfter, maxKeys } = request;
  const lowerBound = (from: number, before: (key: string) => boolean): number => {
    let low = from;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(keyAt(middle))) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const objects: ListedObject[] = [];
  const commonPrefixes: string[] = [];
  let index = lowerBound(0, (key) => compareKeys(key, prefix) < 0);
  if (startAfter !== "")
    index = Math.max(
      index,
      lowerBound(0, (key) => compareKeys(key, startAfter) <= 0),
    );
  let last = "";
  while (index < count) {
    const key = keyAt(index);
    if (!key.startsWith(prefix)) break;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const rolled = cut === -1 ? undefined : key.slice(0, cut + delimiter.length);
    if (rolled !== undefined && startAfter !== "" && compareKeys(rolled, startAfter) <= 0) {
      index = lowerBound(index, (candidate) => candidate.startsWith(rolled));
      continue;
    }
    if (objects.length + commonPrefixes.length === maxKeys) {
      return { objects, commonPrefixes, truncated: true, nextStartAfter: last };
    }
    if (rolled === undefined) {
      objects.push(describe(index++));
      last = key;
    } else {
      commonPrefixes.push(rolled);
      last = rolled;
      index = lowerBound(index, (candidate) => candidate.startsWith(rolled));
    }
  }
  return { objects, commonPrefixes, truncated: false, nextStartAfter: "" };
}

/** Objects in memory, by bucket and key. */
export class MemoryBackend implements S3Backend {
  readonly #buckets = new Map<string, Map<string, MemoryObject>>();
  /** Contexts of the calls, newest last. */
  readonly contexts: RequestContext[] = [];
  /** Size of the pieces that bodies come in. */
  chunkBytes = 64 * 1024;
  readonly writes: MemoryWrites = new MemoryWrites(this);

  addBucket(name: string): void {
    this.#buckets.set(name, new Map());
  }

  removeBucket(name: string): void {
    this.#buckets.delete(name);
  }

  /** Puts an object as it is. */
  set(bucket: string, key: string, object: MemoryObject): void {
    this.#bucket(bucket).set(key, object);
  }

  remove(bucket: string, key: string): void {
    this.#bucket(bucket).delete(key);
  }

  /** The object of a key, or undefined when there is none. */
  find(bucket: string, key: string): MemoryObject | undefined {
    return this.#bucket(bucket).get(key);
  }

  put(bucket: string, key: string, bytes: Uint8Array | string, meta: Partial<ObjectMeta> = {}): MemoryObject {
    const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    const etag = `"${createHash("md5").update(body).digest("hex")}"`;
    const object: MemoryObject = {
      bytes: body,
      meta: {
        sizeBytes: body.length,
        version: etag,
        etag,
        modifiedMs: Date.parse("2026-01-02T03:04:05.678Z"),
        ...meta,
      },
    };
    this.#bucket(bucket).set(key, object);
    return object;
  }

  keys(bucket: string): string[] {
    return [...this.#bucket(bucket).keys()].sort(compareKeys);
  }

  #bucket(name: string): Map<string, MemoryObject> {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new RinglightError("RL_NO_SUCH_MOUNT", `there is no bucket "${name}"`);
    return bucket;
  }

  get(bucket: string, key: string): MemoryObject {
    const object = this.#bucket(bucket).get(key);
    if (!object) throw new RinglightError("RL_NOT_FOUND", `there is no key "${key}"`);
    return object;
  }

  async listBuckets(): Promise<BucketInfo[]> {
    return [...this.#buckets.keys()].sort().map((name) => ({ name, createdMs: Date.parse("2026-01-01T00:00:00Z") }));
  }

  bucketExists(bucket: string): boolean {
    return this.#buckets.has(bucket);
  }

  async head(bucket: string, key: string, context: RequestContext): Promise<ObjectMeta> {
    this.contexts.push(context);
    return this.get(bucket, key).meta;
  }

  async read(bucket: string, key: string, plan: ReadPlan, context: RequestContext): Promise<S3Read> {
    this.contexts.push(context);
    const { bytes, meta } = this.get(bucket, key);
    const resolved = resolvePlan(plan, meta);
    if (resolved.outcome !== "ok") return { outcome: resolved.outcome, meta };
    const { range, partial } = resolved;
    context.status.hits++;
    return { outcome: "ok", meta, range, partial, body: this.#chunks(bytes, range) };
  }

  async *#chunks(bytes: Uint8Array, range: { start: number; end: number } | undefined): AsyncGenerator<Uint8Array> {
    if (!range) return;
    for (let at = range.start; at <= range.end; at += this.chunkBytes) {
      yield bytes.subarray(at, Math.min(at + this.chunkBytes, range.end + 1));
    }
  }

  async list(bucket: string, request: ListRequest, context: RequestContext): Promise<ListPage> {
    this.contexts.push(context);
    const keys = this.keys(bucket);
    const describe = (index: number): ListedObject => {
      const key = keys[index] ?? "";
      return { key, ...this.get(bucket, key).meta };
    };
    return listSorted(keys.length, (index) => keys[index] ?? "", describe, request);
  }
}

/** The backend as one that only reads. */
export function withoutWrites(backend: S3Backend): S3Backend {
  return {
    listBuckets: (context) => backend.listBuckets(context),
    bucketExists: (bucket) => backend.bucketExists(bucket),
    head: (bucket, key, context) => backend.head(bucket, key, context),
    read: (bucket, key, plan, context) => backend.read(bucket, key, plan, context),
    list: (bucket, request, context) => backend.list(bucket, request, context),
  };
}

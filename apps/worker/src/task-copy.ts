/**
 * Copies one object to another path, in the same mount or between any two, and for a move removes the source afterwards.
 *
 * Where both ends are one store it copies by itself; else the bytes pass here, large objects in parts of which several are on
 * their way at once. What was copied is compared with its source before it counts: by the stores' own checksums where they
 * keep comparable ones, by what was sent where the target answers with its MD5, and by reading the target back where neither
 * tells. An object that the target has already is left alone, and of a large one the parts that its upload has, so that a job
 * that is begun again does only what is left.
 */
import { createHash, type Hash } from "node:crypto";
import {
  type ByteRange,
  type CompletedPart,
  formatPath,
  isRinglightError,
  type ObjectChecksums,
  type ObjectMeta,
  type ObjectSettings,
  parsePath,
  RinglightError,
  type UfsWrites,
} from "@ringlight/core";
import type { TaskUnit } from "@ringlight/proto";
import { objectToProto } from "@ringlight/rpc";
import { multipartEtag } from "@ringlight/ufs";
import type { BegunUpload, CopiedPart } from "./copy-journal.ts";
import type { OpenMount } from "./mount-table.ts";
import { mayPass, outcomeOf, retried, type TaskSettings, type TaskSources, type UnitOutcome } from "./task-unit.ts";

const MIB = 1024 * 1024;
/** Objects up to this go in one request, bytes. */
const ONE_PIECE_BYTES = 64 * MIB;
/** Least size of a part, and most parts of an upload. */
const PART_BYTES = 32 * MIB;
const MAX_PARTS = 10_000;
/** Most that a store copies in one request (S3's limit), and size of the parts above it. */
const ONE_COPY_BYTES = 5 * 1024 * MIB;
const COPIED_PART_BYTES = 512 * MIB;
/** Parts of one object on their way at once. */
const PARTS_AT_ONCE = 4;
/** An ETag that is an MD5 of the bytes. */
const MD5_ETAG = /^"([0-9a-f]{32})"$/;

interface End extends OpenMount {
  readonly mount: string;
  readonly key: string;
}

interface Copying {
  readonly sources: TaskSources;
  readonly settings: TaskSettings;
  readonly source: End;
  readonly target: End;
  readonly meta: ObjectMeta;
}

/** Copies a unit: "loaded" where it was copied, "cached" where the target had the same object, "changed" where the source is another one now. */
export function copyUnit(sources: TaskSources, unit: TaskUnit, settings: TaskSettings): Promise<UnitOutcome> {
  return copyOrMove(sources, unit, settings, false);
}

/** The same, and removes the source once the target was compared with it. */
export function moveUnit(sources: TaskSources, unit: TaskUnit, settings: TaskSettings): Promise<UnitOutcome> {
  return copyOrMove(sources, unit, settings, true);
}

async function copyOrMove(
  sources: TaskSources,
  unit: TaskUnit,
  settings: TaskSettings,
  isMove: boolean,
): Promise<UnitOutcome> {
  let readBytes = 0;
  const counted: TaskSettings = {
    ...settings,
    onRead: (bytes) => {
      readBytes += bytes;
      settings.onRead(bytes);
    },
  };
  const outcome = await retried(sources.clock, settings.signal, () => copyOnce(sources, unit, counted, isMove));
  return { ...outcome, readBytes };
}

async function copyOnce(
  sources: TaskSources,
  unit: TaskUnit,
  settings: TaskSettings,
  isMove: boolean,
): Promise<UnitOutcome> {
  const { signal } = settings;
  const source = await endOf(sources, unit.path);
  const target = await endOf(sources, unit.target);
  const meta = await source.ufs.head(source.key, { signal });
  if (meta.version !== unit.version) {
    const object = objectToProto(formatPath(source), meta);
    const message = "the object changed in the store after it was listed";
    return outcomeOf("changed", { code: "RL_VERSION_CHANGED", message, object });
  }
  const copying: Copying = { sources, settings, source, target, meta };
  const there = await existing(target, signal);
  const bytes = meta.sizeBytes;
  let isThere = there !== undefined && (await isSame(copying, there));
  const wasThere = isThere;
  if (!isThere) {
    if (there !== undefined && !settings.overwrite) {
      const message = `the target ${unit.target} is another object; --overwrite replaces it`;
      throw new RinglightError("RL_CONFLICT", message);
    }
    const expected = await settings.limits.transfers.run(() =>
      isOneStore(copying) ? copyInside(copying) : copyThrough(copying),
    );
    const written = await target.ufs.head(target.key, { signal });
    isThere = isAsSent(copying, written, expected) || (await isSame(copying, written));
    if (!isThere) {
      const message = `what arrived at ${unit.target} differs from its source${isMove ? ", which is kept" : ""}`;
      throw new RinglightError("RL_CORRUPT", message);
    }
  }
  if (isMove) await removeSource(copying);
  return outcomeOf(wasThere ? "cached" : "loaded", {
    presentBytes: bytes,
    cachedBeforeBytes: wasThere ? bytes : 0,
    verified: true,
  });
}

async function endOf({ mounts }: TaskSources, path: string): Promise<End> {
  const { mount, key } = parsePath(path);
  return { ...(await mounts.get(mount)), mount, key };
}

async function existing({ ufs, key }: End, signal: AbortSignal): Promise<ObjectMeta | undefined> {
  try {
    return await ufs.head(key, { signal });
  } catch (error) {
    if (isRinglightError(error, "RL_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Both mounts are places of one store, which can copy between them. */
function isOneStore({ source, target }: Copying): boolean {
  const place = ({ record }: End) =>
    JSON.stringify([record.uri.slice(0, 5), record.options.endpoint, record.options.region, record.credentials]);
  if (source.mount === target.mount) return true;
  return source.record.uri.startsWith("s3://") && place(source) === place(target);
}

/** The store copies by itself: what it answers says nothing about the bytes. */
async function copyInside({ sources, settings, source, target, meta }: Copying): Promise<undefined> {
  const { signal } = settings;
  const isForeign = source.mount !== target.mount;
  const from = {
    sourceKey: source.key,
    sourceConditions: { ifMatch: meta.etag },
    ...(isForeign && { sourceUri: source.record.uri }),
  };
  if (meta.sizeBytes <= ONE_COPY_BYTES) {
    await sources.writer.write(target.mount, [target.key], (writes) => writes.copy(target.key, from, { signal }));
    return undefined;
  }
  const copying = { sources, settings, source, target, meta };
  await inParts(
    copying,
    COPIED_PART_BYTES,
    async (writes, uploadId, part, range) => {
      const { etag } = await writes.uploadPartCopy(target.key, uploadId, part, { ...from, range }, { signal });
      return { etag };
      // What the store copied is compared when all of it is there, whoever asked for it.
    },
    async (etag) => ({ etag }),
  );
  return undefined;
}

/** The bytes pass here. Returns the ETag that the target has if it holds exactly what was sent, and its ETags are MD5s. */
async function copyThrough(copying: Copying): Promise<string | undefined> {
  const { sources, settings, target, meta } = copying;
  const { signal } = settings;
  if (meta.sizeBytes <= ONE_PIECE_BYTES) {
    const range = meta.sizeBytes === 0 ? undefined : { start: 0, end: meta.sizeBytes - 1 };
    const md5 = createHash("md5");
    const body = { sizeBytes: meta.sizeBytes, stream: bytesOf(copying, range, md5) };
    await sources.writer.write(target.mount, [target.key], (writes) =>
      writes.put(target.key, { body, settings: settingsOf(meta) }, { signal }),
    );
    return `"${md5.digest("hex")}"`;
  }
  const partBytes = Math.max(PART_BYTES, Math.ceil(meta.sizeBytes / MAX_PARTS));
  const parts = await inParts(
    copying,
    partBytes,
    async (writes, uploadId, part, range) => {
      const md5 = createHash("md5");
      const body = { sizeBytes: range.end - range.start + 1, stream: bytesOf(copying, range, md5) };
      const { etag } = await writes.uploadPart(target.key, uploadId, part, body, { signal });
      return { etag, md5: md5.digest("hex") };
    },
    async (etag, range) => {
      // Nobody here knows what was sent: it is what the source has, or it is sent again.
      if (!MD5_ETAG.test(etag)) return undefined;
      const hash = createHash("md5");
      for await (const _ of bytesOf(copying, range, hash));
      const md5 = hash.digest("hex");
      return etag === `"${md5}"` ? { etag, md5 } : undefined;
    },
  );
  return multipartEtag(parts.map(({ md5 = "" }) => md5));
}

/**
 * Writes an object in parts, several at once, and goes on with what an interrupted copy of the same has left, here or at
 * another worker, whose parts `adopt` looks at. Returns the parts. What cannot succeed a moment later is given up at the store.
 */
async function inParts(
  { sources, settings, source, target, meta }: Copying,
  partBytes: number,
  write: (
    writes: UfsWrites,
    uploadId: string,
    part: number,
    range: ByteRange,
  ) => Promise<Omit<CopiedPart, "partNumber">>,
  adopt: (etag: string, range: ByteRange) => Promise<Omit<CopiedPart, "partNumber"> | undefined>,
): Promise<CopiedPart[]> {
  const { writes } = await sources.writer.writable(target.mount);
  const { version, sizeBytes } = meta;
  const entry = await sources.copies.open({
    ...{ source: formatPath(source), sourceUri: source.record.uri, version, sizeBytes },
    ...{ target: formatPath(target), targetUri: target.record.uri, partBytes },
  });
  const count = Math.ceil(sizeBytes / partBytes);
  const rangeOf = (part: number) => ({ start: (part - 1) * partBytes, end: Math.min(sizeBytes, part * partBytes) - 1 });
  let uploadId: string | undefined;
  try {
    const before = await stillThere(writes, target.key, entry?.begun ?? [], rangeOf, settings.signal);
    const done = new Map(before?.done.map((part) => [part.partNumber, part]));
    uploadId = before?.uploadId;
    uploadId ??= (await writes.createUpload(target.key, { settings: settingsOf(meta) })).uploadId;
    const upload = uploadId;
    await entry?.begin(upload, [...done.values()]);
    let next = 1;
    const lane = async () => {
      while (next <= count) {
        const partNumber = next++;
        if (done.has(partNumber)) continue;
        settings.signal.throwIfAborted();
        const range = rangeOf(partNumber);
        const etag = before?.offered.get(partNumber);
        const adopted = etag === undefined ? undefined : await adopt(etag, range);
        const part = { partNumber, ...(adopted ?? (await write(writes, upload, partNumber, range))) };
        done.set(partNumber, part);
        await entry?.add(part);
      }
    };
    const settled = await Promise.allSettled(
      Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, () =>
        lane().catch((error: unknown) => {
          next = count + 1;
          throw error;
        }),
      ),
    );
    for (const result of settled) if (result.status === "rejected") throw result.reason;
    const parts = [...done.values()].sort((a, b) => a.partNumber - b.partNumber);
    const named: CompletedPart[] = parts.map(({ partNumber, etag }) => ({ partNumber, etag }));
    await sources.writer.write(target.mount, [target.key], (w) =>
      w.completeUpload(target.key, upload, { parts: named }),
    );
    await entry?.end();
    return parts;
  } catch (error) {
    if (entry !== undefined && (settings.signal.aborted || mayPass(error))) entry.close();
    else {
      if (uploadId !== undefined) await writes.abortUpload(target.key, uploadId).catch(() => undefined);
      await entry?.end();
    }
    throw error;
  }
}

/** An upload that is gone on with. */
interface Resumed {
  readonly uploadId: string;
  /** Parts that this worker has sent, and that the store has so. */
  readonly done: readonly CopiedPart[];
  /** ETags of parts that the store has of another worker, by number. */
  readonly offered: ReadonlyMap<number, string>;
}

/** The first of the uploads that its store still knows, with those of its parts that are whole; undefined where there is none. */
async function stillThere(
  writes: UfsWrites,
  key: string,
  begun: readonly BegunUpload[],
  rangeOf: (part: number) => ByteRange,
  signal: AbortSignal,
): Promise<Resumed | undefined> {
  for (const { uploadId, parts } of begun) {
    const there = await partsOf(writes, key, uploadId, rangeOf, signal);
    if (there === undefined) continue;
    if (parts === undefined) return { uploadId, done: [], offered: there };
    const done = parts.filter(({ partNumber, etag }) => there.get(partNumber) === etag);
    return { uploadId, done, offered: new Map() };
  }
  return undefined;
}

/** ETags of the parts of an upload that have the size they should; undefined where the store has no such upload any more. */
async function partsOf(
  writes: UfsWrites,
  key: string,
  uploadId: string,
  rangeOf: (part: number) => ByteRange,
  signal: AbortSignal,
): Promise<Map<number, string> | undefined> {
  const there = new Map<number, string>();
  try {
    for (let partNumberMarker = 0; ; ) {
      const page = await writes.listParts(key, uploadId, { partNumberMarker, maxParts: 1000 }, { signal });
      for (const { partNumber, etag, sizeBytes } of page.parts) {
        const { start, end } = rangeOf(partNumber);
        if (sizeBytes === end - start + 1) there.set(partNumber, etag);
      }
      if (!page.truncated) return there;
      partNumberMarker = page.nextPartNumberMarker;
    }
  } catch (error) {
    if (isRinglightError(error, "RL_NO_SUCH_UPLOAD") || isRinglightError(error, "RL_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Bytes of the source's version at the job's rate, told to a hash as they pass. */
async function* bytesOf(
  { source, meta, settings }: Copying,
  range: ByteRange | undefined,
  hash: Hash,
): AsyncGenerator<Uint8Array> {
  if (range === undefined) return;
  const { limits, signal, onRead } = settings;
  const { stream } = await source.ufs.read(source.key, meta.version, range, { signal });
  for await (const chunk of stream) {
    await limits.rate.take(chunk.length, signal);
    onRead(chunk.length);
    hash.update(chunk);
    yield chunk;
  }
}

/** The target answers with the MD5 of what was sent, and so does the source where it has one. */
function isAsSent({ meta, settings }: Copying, there: ObjectMeta, expected: string | undefined): boolean {
  if (settings.verify || expected === undefined || there.etag !== expected) return false;
  return !MD5_ETAG.test(meta.etag) || meta.etag === expected;
}

/** Is the object at the target, of which this is the metadata, the same as the source? */
async function isSame(copying: Copying, there: ObjectMeta): Promise<boolean> {
  const { meta, source, target } = copying;
  if (there.sizeBytes !== meta.sizeBytes) return false;
  if (meta.sizeBytes === 0) return true;
  if (!copying.settings.verify && MD5_ETAG.test(meta.etag) && meta.etag === there.etag) return true;
  if (!copying.settings.verify && hasSameChecksum(meta.checksums, there.checksums)) return true;
  const [left, right] = await Promise.all([
    digestOf(copying, source, meta.version),
    digestOf(copying, target, there.version),
  ]);
  return left === right;
}

/** Both stores keep a checksum of the whole object by one of the stronger algorithms, and it is the same. */
function hasSameChecksum(one: ObjectChecksums | undefined, other: ObjectChecksums | undefined): boolean {
  if (one?.type !== "FULL_OBJECT" || other?.type !== "FULL_OBJECT") return false;
  return (["SHA256", "SHA1", "CRC64NVME"] as const).some(
    (algorithm) => one.values[algorithm] !== undefined && one.values[algorithm] === other.values[algorithm],
  );
}

/** SHA-256 of an object's bytes, read from its store at the job's rate. */
async function digestOf({ settings, meta }: Copying, { ufs, key }: End, version: string): Promise<string> {
  const { limits, signal, onRead } = settings;
  const hash = createHash("sha256");
  const { stream } = await ufs.read(key, version, { start: 0, end: meta.sizeBytes - 1 }, { signal });
  for await (const chunk of stream) {
    await limits.rate.take(chunk.length, signal);
    onRead(chunk.length);
    hash.update(chunk);
  }
  return hash.digest("hex");
}

/** Removes the source if it is still what was copied. */
async function removeSource({ sources, settings, source, meta }: Copying): Promise<void> {
  const { signal } = settings;
  const now = await existing(source, signal);
  if (now === undefined) return;
  if (now.version !== meta.version) {
    throw new RinglightError("RL_VERSION_CHANGED", "the source changed while it was copied, and is kept");
  }
  const remove = (conditions?: { readonly ifMatch: string }) =>
    sources.writer.write(source.mount, [source.key], (writes) => writes.delete(source.key, conditions, { signal }));
  try {
    await remove({ ifMatch: meta.etag });
  } catch (error) {
    if (isRinglightError(error, "RL_NOT_FOUND")) return;
    if (isRinglightError(error, "RL_PRECONDITION_FAILED")) {
      throw new RinglightError("RL_VERSION_CHANGED", "the source changed while it was copied, and is kept");
    }
    // A store that knows no conditions on deletes: it was looked at a moment ago.
    if (!isRinglightError(error, "RL_NOT_IMPLEMENTED")) throw error;
    await remove();
  }
}

function settingsOf(meta: ObjectMeta): ObjectSettings {
  const names = [
    "contentType",
    "contentEncoding",
    "contentDisposition",
    "contentLanguage",
    "cacheControl",
    "expires",
    "userMetadata",
  ] as const;
  return Object.fromEntries(names.flatMap((name) => (meta[name] === undefined ? [] : [[name, meta[name]]])));
}

/**
 * Writes to file:// mounts. Bytes go to a temporary file in a hidden directory of the mount, are synced, and take their place
 * by a rename: a reader sees the old file or the new one, and so does whoever looks after a crash.
 * Long, because every kind of write takes its place by the same few steps, in an order that a crash must not break.
 */
import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createChecksum } from "@ringlight/checksum";
import {
  type CopyRequest,
  type DeleteItem,
  type DeleteOutcome,
  isRinglightError,
  type ObjectAttributes,
  type ObjectMeta,
  type ObjectTag,
  type PartPlace,
  type PutRequest,
  RinglightError,
  releasePooled,
  type StopSignal,
  toRinglightError,
  type UfsCallOptions,
  type UfsObservation,
  type UfsWriteBody,
  type UfsWrites,
  type WriteConditions,
  type WriteResult,
} from "@ringlight/core";
import { Observed, throwIfAborted } from "./call.ts";
import { type FileRoot, fileError, HIDDEN_DIRECTORY, isMissing } from "./file-keys.ts";
import { locked } from "./file-lock.ts";
import { FileMultipart, summed } from "./file-multipart.ts";
import { type FileSidecars, keptSettings, type Sidecar, tagsOf } from "./file-sidecars.ts";
import { versionOf } from "./file-version.ts";
import { NO_SUCH_BUCKET } from "./s3-errors.ts";
import { heldBack } from "./write-body.ts";
import { checkWriteConditions, holdForSource } from "./write-conditions.ts";

const COPY_CHUNK_BYTES = 1024 * 1024;
/** Files of one DeleteObjects that are removed at once. */
const DELETES_AT_ONCE = 8;

/** Directory of temporary files, beneath what writes keep. */
const TEMPORARY = "tmp";
/** Times that a temporary file is tried to be made while the directory is being removed. */
const TEMPORARY_ATTEMPTS = 10;

/** A temporary file that was not written to for so long belongs to nobody, milliseconds. */
const ABANDONED_MS = 24 * 3_600_000;

/** A file that was written and has not taken its place yet. */
export interface TemporaryFile {
  readonly path: string;
  readonly md5: string;
  readonly sizeBytes: number;
}

/** The writes of a file:// mount. */
export class FileWrites extends FileMultipart implements UfsWrites {
  readonly #root: FileRoot;
  readonly #sidecars: FileSidecars;
  readonly #observe: ((observation: UfsObservation) => void) | undefined;
  readonly #closing: AbortSignal;
  readonly #head: (key: string) => Promise<ObjectMeta>;
  #swept: Promise<void> | undefined;

  /** @param head metadata of a file, as the mount tells it */
  constructor(
    root: FileRoot,
    sidecars: FileSidecars,
    head: (key: string) => Promise<ObjectMeta>,
    observe: ((observation: UfsObservation) => void) | undefined,
    closing: AbortSignal,
  ) {
    super(join(sidecars.directory, "uploads"));
    this.#root = root;
    this.#sidecars = sidecars;
    this.#head = head;
    this.#observe = observe;
    this.#closing = closing;
  }

  put(key: string, { body, settings, conditions }: PutRequest, options?: UfsCallOptions): Promise<WriteResult> {
    return this.observed("put", body.sizeBytes, async () => {
      const kept = keptSettings(settings);
      if (key.endsWith("/")) return this.#makeDirectory(key, body);
      this.#place(key);
      const file = await this.receive(body, options?.signal);
      const value = body.checksum?.value();
      return this.place(key, file, `"${file.md5}"`, conditions, {
        settings: kept,
        tags: tagsOf(settings?.tagging),
        ...(body.checksum &&
          value !== undefined && {
            checksums: { type: "FULL_OBJECT" as const, values: { [body.checksum.algorithm]: value } },
          }),
      });
    });
  }

  copy(key: string, request: CopyRequest, options?: UfsCallOptions): Promise<WriteResult> {
    return this.observed("copy", 0, async () => {
      const { sourceKey, settings, tagging, conditions } = request;
      if (request.sourceUri !== undefined) {
        throw new RinglightError("RL_NOT_IMPLEMENTED", "a copy from another mount of files goes by its bytes");
      }
      const source = await this.source(sourceKey, request.sourceConditions);
      this.#place(key);
      if (sourceKey === key && settings === undefined && tagging === undefined) {
        const words =
          "This copy request is illegal because it is trying to copy an object to itself without changing it.";
        throw new RinglightError("RL_BAD_REQUEST", words, {
          s3: { code: "InvalidRequest", status: 400, message: words },
        });
      }
      keptSettings(request.headers && { headers: request.headers });
      const asked = request.checksumAlgorithm;
      const sum = asked && createChecksum(asked);
      const bytes = this.rangeOf(source, 0, source.meta.sizeBytes);
      const file = await this.receive(sum === undefined ? bytes : summed(bytes, sum), options?.signal);
      const before = await this.#sidecars.read(sourceKey, source.meta.version);
      const kept = before?.settings ?? { ...(source.meta.contentType && { contentType: source.meta.contentType }) };
      const ofSource = before?.partSizes === undefined ? before?.checksums : undefined;
      const checksums =
        asked && sum
          ? { type: "FULL_OBJECT" as const, values: { [asked]: sum.digest().toString("base64") } }
          : ofSource;
      return this.place(key, file, `"${file.md5}"`, conditions, {
        settings:
          settings === undefined
            ? kept
            : keptSettings({ ...settings, headers: { ...settings.headers, ...request.headers } }),
        tags: tagging === undefined ? (before?.tags ?? []) : tagsOf(tagging),
        ...(checksums && { checksums }),
      });
    });
  }

  delete(key: string, conditions?: WriteConditions, _options?: UfsCallOptions): Promise<void> {
    return this.observed("delete", 0, async () => {
      const path = this.#root.pathOf(key.endsWith("/") ? key.slice(0, -1) : key);
      if (path === undefined || key === "") return;
      if (!key.endsWith("/")) {
        await locked(this.#lockOf(key), async () => {
          const current = await this.#current(key);
          checkWriteConditions(conditions, current, key);
          if (current === undefined) return;
          await this.#requireInside(dirname(path));
          await unlink(path).catch(ignoreMissing(path));
          await this.#sidecars.remove(key, current.version);
        });
      }
      // A directory goes with the last key beneath it, as prefixes do in S3.
      for (
        let above = key.endsWith("/") ? path : dirname(path);
        above.length > this.#root.directory.length;
        above = dirname(above)
      ) {
        try {
          await rmdir(above);
        } catch {
          return;
        }
      }
    });
  }

  async deleteMany(items: readonly DeleteItem[], options?: UfsCallOptions): Promise<DeleteOutcome[]> {
    const outcomes: DeleteOutcome[] = items.map(({ key }) => ({ key }));
    let next = 0;
    const work = async () => {
      for (let at = next++; at < items.length; at = next++) {
        const { key, ifMatch } = items[at] ?? { key: "" };
        try {
          await this.delete(key, ifMatch === undefined ? undefined : { ifMatch }, options);
        } catch (error) {
          const { info, message } = toRinglightError(error);
          outcomes[at] = { key, error: { code: info.s3, message } };
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(DELETES_AT_ONCE, items.length) }, work));
    return outcomes;
  }

  async getTagging(key: string, _options?: UfsCallOptions): Promise<ObjectTag[]> {
    const { version } = await this.#head(key);
    const tags = (await this.#sidecars.read(key, version))?.tags ?? [];
    return tags.map(([name, value]) => ({ key: name, value }));
  }

  putTagging(key: string, tags: readonly ObjectTag[], _options?: UfsCallOptions): Promise<void> {
    return this.observed("tagging", 0, () =>
      locked(this.#lockOf(key), async () => {
        const { version, etag, contentType } = await this.#head(key);
        const before = await this.#sidecars.read(key, version);
        const settings = before?.settings ?? { ...(contentType && { contentType }) };
        const rows = tags.map((tag) => [tag.key, tag.value] as const);
        await this.#sidecars.write(version, { ...(before ?? { key, etag, settings }), tags: rows });
      }),
    );
  }

  deleteTagging(key: string, options?: UfsCallOptions): Promise<void> {
    return this.putTagging(key, [], options);
  }

  async headPart(key: string, partNumber: number, _options?: UfsCallOptions): Promise<PartPlace> {
    const meta = await this.#head(key);
    const sidecar = await this.#sidecars.read(key, meta.version);
    const sizes = sidecar?.partSizes ?? [meta.sizeBytes];
    const length = sizes[partNumber - 1];
    if (length === undefined) throw new RinglightError("RL_BAD_RANGE", `"${key}" has no part ${partNumber}`);
    const start = sizes.slice(0, partNumber - 1).reduce((sum, size) => sum + size, 0);
    const values = sidecar?.partChecksums?.[partNumber - 1];
    return {
      meta,
      ...(length > 0 && { range: { start, end: start + length - 1 } }),
      partsCount: sizes.length,
      ...(values && { checksums: { type: sidecar?.checksums?.type ?? "COMPOSITE", values } }),
    };
  }

  async attributes(key: string, _options?: UfsCallOptions): Promise<ObjectAttributes> {
    const meta = await this.#head(key);
    const { partSizes, partChecksums } = (await this.#sidecars.read(key, meta.version)) ?? {};
    if (partSizes === undefined) return { meta };
    const parts = partSizes.map((sizeBytes, index) => {
      const checksums = partChecksums?.[index];
      return { partNumber: index + 1, sizeBytes, ...(checksums && { checksums }) };
    });
    return { meta, parts };
  }

  createBucket(_options?: UfsCallOptions): Promise<void> {
    return this.observed("bucket", 0, async () => {
      const { directory } = this.#root;
      try {
        await mkdir(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(error, directory);
        throw new RinglightError("RL_CONFLICT", `the directory ${directory} is there already`);
      }
    });
  }

  deleteBucket(_options?: UfsCallOptions): Promise<void> {
    return this.observed("bucket", 0, async () => {
      const { directory } = this.#root;
      try {
        await removeEmptyBelow(directory, directory);
        await this.#removeOwn();
        await rmdir(directory);
      } catch (error) {
        // Something was written after the look at what is there.
        if (/^(ENOTEMPTY|EEXIST)$/.test((error as NodeJS.ErrnoException).code ?? "")) throw notEmpty(directory);
        if (!isMissing(error)) throw fileError(error, directory);
        throw new RinglightError("RL_UFS_ERROR", `the directory ${directory} is not there`, { s3: NO_SUCH_BUCKET });
      }
    });
  }

  /**
   * Removes what writes keep beside the files. A write that is on its way has a temporary file from its beginning to its end,
   * and the directory of those goes first: what is in use is not removed. @throws ENOTEMPTY then
   */
  async #removeOwn(): Promise<void> {
    const { directory } = this.#sidecars;
    try {
      await rmdir(join(directory, TEMPORARY)).catch(unlessMissing);
      for (const name of await readdir(directory)) {
        if (name !== TEMPORARY) await rm(join(directory, name), { recursive: true, force: true });
      }
      await rmdir(directory);
    } catch (error) {
      unlessMissing(error);
    }
  }

  /** Opens a new temporary file, and makes its directory, which goes when a bucket is removed. */
  async #temporary(path: string): Promise<FileHandle> {
    for (let attempt = 1; ; attempt++) {
      try {
        await mkdir(dirname(path), { recursive: true });
        return await open(path, "wx");
      } catch (error) {
        if (!isMissing(error) || attempt === TEMPORARY_ATTEMPTS) throw fileError(error, path);
      }
    }
  }

  /** Receives a body into a temporary file, synced. Nothing is left of it when the body fails. */
  protected async receive(body: UfsWriteBody, signal: StopSignal | undefined): Promise<TemporaryFile> {
    const directory = join(this.#sidecars.directory, TEMPORARY);
    const path = join(directory, randomBytes(12).toString("hex"));
    const md5 = createHash("md5");
    let handle: FileHandle | undefined;
    try {
      handle = await this.#temporary(path);
      this.#swept ??= sweep(directory);
      await this.#swept;
      for await (const piece of heldBack(body, path)) {
        throwIfAborted(signal, "a write");
        throwIfAborted(this.#closing, "a write");
        md5.update(piece);
        for (let at = 0; at < piece.length; ) {
          at += (await handle.write(piece, at).catch(rethrow(path))).bytesWritten;
        }
        releasePooled(piece);
      }
      throwIfAborted(signal, "a write");
      await handle.sync().catch(rethrow(path));
      return { path, md5: md5.digest("hex"), sizeBytes: body.sizeBytes };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await handle?.close();
    }
  }

  /** Puts a file in its key's place, if the conditions hold. The file is gone from where it was in any case. */
  protected async place(
    key: string,
    file: TemporaryFile,
    etag: string,
    conditions: WriteConditions | undefined,
    kept: Omit<Sidecar, "key" | "etag">,
  ): Promise<WriteResult> {
    const path = this.#place(key);
    try {
      const { version, modifiedMs } = versionOf(await stat(file.path, { bigint: true }));
      await locked(this.#lockOf(key), async () => {
        const before = await this.#current(key);
        checkWriteConditions(conditions, before, key);
        await this.#sidecars.write(version, { key, etag, ...kept });
        try {
          await this.#moveInto(file.path, path);
        } catch (error) {
          await this.#sidecars.remove(key, version);
          throw error;
        }
        if (before !== undefined && before.version !== version) await this.#sidecars.remove(key, before.version);
      });
      const { sizeBytes } = file;
      return { version, etag, sizeBytes, modifiedMs, ...(kept.checksums && { checksums: kept.checksums }) };
    } catch (error) {
      throw fileError(error, path);
    } finally {
      await rm(file.path, { force: true });
    }
  }

  protected async madeBy(uploadId: string, key: string): Promise<WriteResult | undefined> {
    const meta = await this.#current(key);
    const sidecar = meta && (await this.#sidecars.read(key, meta.version));
    if (meta === undefined || sidecar?.uploadId !== uploadId) return undefined;
    const { version, etag, sizeBytes, modifiedMs, checksums } = meta;
    return { version, etag, sizeBytes, modifiedMs, ...(checksums && { checksums }) };
  }

  /** An object to copy from. @throws RL_NOT_FOUND, RL_PRECONDITION_FAILED */
  protected async source(
    key: string,
    conditions: CopyRequest["sourceConditions"],
  ): Promise<{ readonly key: string; readonly meta: ObjectMeta }> {
    const meta = await this.#head(key);
    if (conditions === undefined || holdForSource(conditions, meta)) return { key, meta };
    throw new RinglightError("RL_PRECONDITION_FAILED", `the source "${key}" does not meet the copy's conditions`);
  }

  /** Bytes of an object, read from one descriptor and given up when the file changes beneath it. */
  protected rangeOf(
    source: { readonly key: string; readonly meta: ObjectMeta },
    start: number,
    length: number,
  ): UfsWriteBody {
    const root = this.#root;
    async function* stream() {
      const handle = await root.open(source.key);
      const changed = () => new RinglightError("RL_CONFLICT", `"${source.key}" changed while it was copied`);
      if (handle === undefined) throw changed();
      try {
        for (let at = 0; at < length; ) {
          const buffer = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, length - at));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, start + at);
          if (bytesRead === 0) throw changed();
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
        if (versionOf(await handle.stat({ bigint: true })).version !== source.meta.version) throw changed();
      } finally {
        await handle.close();
      }
    }
    return { sizeBytes: length, stream: stream() };
  }

  protected observed<T>(op: UfsObservation["op"], bytes: number, work: () => Promise<T>): Promise<T> {
    const observed = new Observed(op, this.#observe);
    return observed.run(async () => {
      throwIfAborted(this.#closing, "a write");
      const result = await work();
      observed.bytes = bytes;
      return result;
    });
  }

  /** @throws RL_BAD_REQUEST for a key that cannot name a file */
  #place(key: string): string {
    const path = key === "" ? undefined : this.#root.pathOf(key);
    if (path !== undefined) return path;
    const words = `"${key.toWellFormed()}" cannot name a file: no part of it may be empty, "." or ".."`;
    throw new RinglightError("RL_BAD_REQUEST", words);
  }

  #lockOf(key: string): string {
    return join(this.#sidecars.directory, "locks", this.#sidecars.nameOf(key));
  }

  async #current(key: string): Promise<ObjectMeta | undefined> {
    try {
      return await this.#head(key);
    } catch (error) {
      if (isRinglightError(error, "RL_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  async #moveInto(from: string, path: string): Promise<void> {
    const directory = dirname(path);
    for (let attempt = 0; ; attempt++) {
      try {
        await mkdir(directory, { recursive: true });
        await this.#requireInside(directory);
        await rename(from, path);
        break;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // A deletion may have taken the directory away, now that it was empty.
        if (code === "ENOENT" && attempt < 20) continue;
        if (code === "EISDIR" || code === "ENOTDIR" || code === "EEXIST") {
          throw bothKinds(path, error);
        }
        if (code === "ENAMETOOLONG") {
          const message = "Your key is too long";
          throw new RinglightError("RL_BAD_REQUEST", `the file system takes no name that long: ${path}`, {
            s3: { code: "KeyTooLongError", status: 400, message },
          });
        }
        throw error;
      }
    }
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** No link on the way may lead a write out of the mount. @throws RL_UFS_DENIED */
  async #requireInside(directory: string): Promise<void> {
    if (await this.#root.holds(await realpath(directory))) return;
    throw new RinglightError("RL_UFS_DENIED", `${directory} leads out of the mount's directory`);
  }

  /** A key that ends with a slash: an empty directory stands for it. */
  async #makeDirectory(key: string, body: UfsWriteBody): Promise<WriteResult> {
    const path = this.#place(key.slice(0, -1));
    for await (const _ of heldBack(body, path))
      throw new RinglightError("RL_BAD_REQUEST", `"${key}" names a directory`);
    try {
      await mkdir(path, { recursive: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === "EEXIST" || code === "ENOTDIR" ? bothKinds(path, error) : fileError(error, path);
    }
    const etag = `"${createHash("md5").digest("hex")}"`;
    return { version: etag, etag, sizeBytes: 0 };
  }
}

function bothKinds(path: string, cause: unknown): RinglightError {
  const words = `on a file system a name is a file or a directory, not both: ${path}`;
  return new RinglightError("RL_CONFLICT", words, { cause });
}

/** Removes what writers that died have left, so long ago that nobody can still be at it. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    try {
      if (Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    } catch {
      // Another process sweeps, too.
    }
  }
}

function ignoreMissing(path: string): (error: unknown) => void {
  return (error) => {
    if (!isMissing(error)) throw fileError(error, path);
  };
}

function rethrow(path: string): (error: unknown) => never {
  return (error) => {
    throw fileError(error, path);
  };
}

function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

/** Removes the directories beneath that hold no file: no listing has them. @throws RL_NOT_EMPTY where there is a file */
async function removeEmptyBelow(directory: string, root: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (directory === root && entry.name === HIDDEN_DIRECTORY) continue;
    if (!entry.isDirectory()) throw notEmpty(root);
    const below = join(directory, entry.name);
    // A delete that goes on meanwhile may take it away first.
    await removeEmptyBelow(below, root)
      .then(() => rmdir(below))
      .catch(unlessMissing);
  }
}

function notEmpty(directory: string): RinglightError {
  return new RinglightError("RL_NOT_EMPTY", `the directory ${directory} holds files`);
}

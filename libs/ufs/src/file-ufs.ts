/** The UFS of file:// mounts: a directory of this machine, which may itself be a network file system. */
import type { FileHandle } from "node:fs/promises";
import { readdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  abortSignalOf,
  type ByteRange,
  type ByteSink,
  type ListPage,
  type ListRequest,
  type ObjectMeta,
  RinglightError,
  type StopSignal,
  type Ufs,
  type UfsBody,
  type UfsCallOptions,
  type UfsReadOptions,
} from "@ringlight/core";
import { bounded, Observed } from "./call.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { contentTypeOf } from "./content-type.ts";
import { FileDirectories } from "./file-directories.ts";
import { FileRoot, fileError, isMissing } from "./file-keys.ts";
import { FileLister } from "./file-list.ts";
import { FileRead, fillFromFile, OpenFile } from "./file-read.ts";
import { FileSidecars, withSidecar } from "./file-sidecars.ts";
import { versionOf } from "./file-version.ts";
import { FileWrites } from "./file-write.ts";
import { checkOptionKeys, limitsOf, type UfsLimits, type UfsMount, type UfsOptions } from "./options.ts";
import { checkRange } from "./range.ts";

/** Checks a file:// mount's URI and options. @throws RL_BAD_REQUEST */
export function checkFileMount(mount: UfsMount): void {
  directoryOf(mount);
}

/** Opens a file:// mount. @throws RL_BAD_REQUEST */
export async function openFileUfs(mount: UfsMount, options: UfsOptions): Promise<Ufs> {
  return new FileUfs(directoryOf(mount), limitsOf(options), options.observe);
}

function directoryOf(mount: UfsMount): string {
  checkOptionKeys("file", mount.options, []);
  try {
    const url = new URL(mount.uri);
    if (url.search !== "" || url.hash !== "")
      throw new Error("it has a query or fragment; write ? as %3F and # as %23");
    const path = fileURLToPath(url);
    return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RinglightError("RL_BAD_REQUEST", `"${mount.uri}" is not file:///directory: ${why}`);
  }
}

class FileUfs implements Ufs {
  readonly uri: string;
  readonly writes: FileWrites;
  readonly #sidecars: FileSidecars;
  readonly #root: FileRoot;
  readonly #lister: FileLister;
  readonly #limits: UfsLimits;
  readonly #open: ConnectionLimit;
  readonly #observe: UfsOptions["observe"];
  readonly #closing = new AbortController();

  constructor(directory: string, limits: UfsLimits, observe: UfsOptions["observe"]) {
    this.uri = `file://${directory}`;
    this.#root = new FileRoot(directory);
    this.#sidecars = new FileSidecars(directory);
    this.#lister = new FileLister(this.#root, new FileDirectories(this.#root), this.#sidecars);
    const state = (key: string) => this.#state(key);
    this.writes = new FileWrites(this.#root, this.#sidecars, state, observe, this.#closing.signal);
    this.#limits = limits;
    this.#open = new ConnectionLimit(limits.maxConnections, limits.maxQueued);
    this.#observe = observe;
  }

  head(key: string, options: UfsCallOptions = {}): Promise<ObjectMeta> {
    return new Observed("head", this.#observe).run(() =>
      this.#bounded(`stat ${JSON.stringify(key)}`, options.signal, () => this.#state(key)),
    );
  }

  /** What a file is, with what was kept of it when it was written. */
  async #state(key: string): Promise<ObjectMeta> {
    const handle = await this.#openFile(key);
    try {
      const { version, etag, sizeBytes, modifiedMs } = versionOf(await handle.stat({ bigint: true }));
      const meta = { sizeBytes, version, etag, modifiedMs, contentType: contentTypeOf(key) };
      return withSidecar(meta, await this.#sidecars.read(key, version));
    } finally {
      await handle.close();
    }
  }

  async read(key: string, version: string, range: ByteRange, options: UfsCallOptions = {}): Promise<UfsBody> {
    const observed = new Observed("get", this.#observe);
    const what = `read ${JSON.stringify(key)}`;
    try {
      checkRange(range, what);
      const read = await this.#bounded(what, options.signal, async (signal) => {
        const release = await this.#open.take(signal);
        try {
          const file = await OpenFile.open(await this.#openFile(key), version, what, release);
          return await this.#begin(file, range, options.signal, observed, what, signal);
        } catch (error) {
          release();
          throw error;
        }
      });
      return { meta: { version, sizeBytes: read.sizeBytes }, stream: read };
    } catch (error) {
      observed.end(error);
      throw error;
    }
  }

  readInto(
    key: string,
    version: string,
    range: ByteRange,
    sink: ByteSink,
    options: UfsReadOptions = {},
  ): Promise<void> {
    return this.#fill(key, range, options.signal, async (open, what) => {
      const { handle, meta, release } = await open();
      const file = new OpenFile(handle, version, meta.sizeBytes, what, release);
      if (meta.version !== version) {
        await file.close();
        throw new RinglightError("RL_VERSION_CHANGED", `the file changed: ${what}`);
      }
      if (range.end >= meta.sizeBytes) {
        await file.close();
        throw new RinglightError("RL_BAD_RANGE", `the range ends behind the file's ${meta.sizeBytes} bytes: ${what}`);
      }
      return { file, range, sink };
    });
  }

  readCurrent(
    key: string,
    range: ByteRange,
    begin: (meta: ObjectMeta, range: ByteRange) => ByteSink | Promise<ByteSink>,
    options: UfsReadOptions = {},
  ): Promise<void> {
    return this.#fill(key, range, options.signal, async (open, what) => {
      const { handle, meta, release } = await open();
      const file = new OpenFile(handle, meta.version, meta.sizeBytes, what, release);
      try {
        if (range.start >= meta.sizeBytes) {
          const size = meta.sizeBytes === 0 ? "the file is empty" : `the file has ${meta.sizeBytes} bytes`;
          throw new RinglightError("RL_BAD_RANGE", `${size}: ${what}`);
        }
        const held = { start: range.start, end: Math.min(range.end, meta.sizeBytes - 1) };
        return { file, range: held, sink: await begin(meta, held) };
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  list(request: ListRequest, options: UfsCallOptions = {}): Promise<ListPage> {
    return new Observed("list", this.#observe).run(() =>
      this.#bounded(`list ${JSON.stringify(request.prefix)}`, options.signal, async (signal) => {
        const page = await this.#lister.list(request, signal);
        // Nothing found may mean that nothing is mounted here any more; that must not pass for an empty directory.
        if (page.objects.length + page.commonPrefixes.length === 0) await this.#rootState();
        return page;
      }),
    );
  }

  check(options: UfsCallOptions = {}): Promise<void> {
    return new Observed("check", this.#observe).run(() =>
      this.#bounded("check", options.signal, async () => {
        await this.#rootState();
        try {
          await readdir(this.#root.directory);
        } catch (error) {
          throw fileError(error, this.#root.directory);
        }
      }),
    );
  }

  /** Opens a file in bounded time and reads it into a sink. */
  #fill(
    key: string,
    range: ByteRange,
    given: StopSignal | undefined,
    begin: (
      open: () => Promise<{ handle: FileHandle; meta: ObjectMeta; release: () => void }>,
      what: string,
    ) => Promise<{ file: OpenFile; range: ByteRange; sink: ByteSink }>,
  ): Promise<void> {
    const observed = new Observed("get", this.#observe);
    const what = `read ${JSON.stringify(key)}`;
    return observed.run(async () => {
      checkRange(range, what);
      const signal = this.#unite(given);
      const open = () =>
        bounded(`${what} in ${this.#root.directory}`, this.#limits.timeoutMs, signal, async (opening) => {
          const release = await this.#open.take(opening);
          let handle: FileHandle | undefined;
          try {
            handle = await this.#openFile(key);
            const { version, etag, sizeBytes, modifiedMs } = versionOf(await handle.stat({ bigint: true }));
            if (opening.aborted) throw opening.reason;
            const meta = { sizeBytes, version, etag, modifiedMs, contentType: contentTypeOf(key) };
            return { handle, meta: withSidecar(meta, await this.#sidecars.read(key, version)), release };
          } catch (error) {
            release();
            await handle?.close();
            throw error;
          }
        });
      const { file, range: held, sink } = await begin(open, what);
      const { stallTimeoutMs } = this.#limits;
      await fillFromFile({ file, range: held, signal, observed, what, stallTimeoutMs }, sink);
    });
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new RinglightError("RL_CANCELLED", `the mount of ${this.uri} was closed`));
  }

  /** @throws RL_UFS_UNAVAILABLE when the directory of the mount is not there. */
  async #rootState(): Promise<void> {
    const { directory } = this.#root;
    let isDirectory: boolean;
    try {
      isDirectory = (await stat(directory)).isDirectory();
    } catch (error) {
      if (!isMissing(error)) throw fileError(error, directory);
      const remedy = "make it, mount the file system that holds it, or correct the mount's URI";
      throw new RinglightError("RL_UFS_UNAVAILABLE", `directory ${directory} does not exist; ${remedy}`);
    }
    if (!isDirectory)
      throw new RinglightError("RL_UFS_ERROR", `${directory} is not a directory; correct the mount's URI`);
  }

  /** @throws RL_NOT_FOUND unless the key names a regular file inside. */
  async #openFile(key: string): Promise<FileHandle> {
    const handle = await this.#root.open(key);
    if (handle !== undefined) {
      try {
        if ((await handle.stat()).isFile()) return handle;
      } catch (error) {
        await handle.close();
        throw fileError(error, this.#root.directory);
      }
      await handle.close();
    }
    await this.#rootState();
    throw new RinglightError("RL_NOT_FOUND", `no such file: ${JSON.stringify(key)} in ${this.#root.directory}`);
  }

  #bounded<T>(what: string, given: StopSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const text = `${what} in ${this.#root.directory}`;
    return bounded(text, this.#limits.timeoutMs, this.#unite(given), work);
  }

  #unite(given: StopSignal | undefined): AbortSignal {
    return given === undefined ? this.#closing.signal : AbortSignal.any([abortSignalOf(given), this.#closing.signal]);
  }

  async #begin(
    file: OpenFile,
    range: ByteRange,
    given: StopSignal | undefined,
    observed: Observed,
    what: string,
    opening: AbortSignal,
  ): Promise<FileRead> {
    if (opening.aborted) {
      await file.close();
      throw opening.reason;
    }
    if (range.end >= file.sizeBytes) {
      await file.close();
      throw new RinglightError("RL_BAD_RANGE", `the range ends behind the file's ${file.sizeBytes} bytes: ${what}`);
    }
    const signal = this.#unite(given);
    return new FileRead({ file, range, signal, observed, what, stallTimeoutMs: this.#limits.stallTimeoutMs });
  }
}

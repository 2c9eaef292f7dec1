/** Reading one version of a file: every chunk is given out only after the file was found unchanged behind it. */
import type { FileHandle } from "node:fs/promises";
import { type ByteRange, type ByteSink, isRinglightError, RinglightError } from "@ringlight/core";
import { abortError, bounded, type Observed } from "./call.ts";
import { fileError } from "./file-keys.ts";
import { versionOf } from "./file-version.ts";
import { UNREAD_MS } from "./options.ts";

const CHUNK_BYTES = 1024 * 1024;

/** What a read is given out with. */
export interface FileReadOptions {
  readonly file: OpenFile;
  readonly range: ByteRange;
  readonly signal: AbortSignal;
  readonly observed: Observed;
  readonly what: string;
  readonly stallTimeoutMs: number;
}

/** A read under way; it owns the open file. */
export class FileRead implements AsyncIterable<Uint8Array> {
  readonly sizeBytes: number;
  readonly #options: FileReadOptions;
  readonly #unread: NodeJS.Timeout;
  readonly #abort: () => void;
  #begun = false;

  constructor(options: FileReadOptions) {
    this.#options = options;
    this.sizeBytes = options.file.sizeBytes;
    const { signal, what } = options;
    this.#unread = setTimeout(() => {
      if (!this.#begun) void this.#finish(new RinglightError("RL_CANCELLED", `nobody read the body: ${what}`));
    }, UNREAD_MS);
    this.#unread.unref();
    this.#abort = () => {
      if (!this.#begun) void this.#finish(abortError(signal, what));
    };
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { file, range, signal, observed, what, stallTimeoutMs } = this.#options;
    if (this.#begun) throw new RinglightError("RL_INTERNAL", `a body is read once: ${what}`);
    this.#begun = true;
    let failure: RinglightError | undefined = new RinglightError("RL_CANCELLED", `the reader left: ${what}`);
    try {
      for (let position = range.start; position <= range.end; ) {
        const from = position;
        const length = Math.min(CHUNK_BYTES, range.end - from + 1);
        const chunk = await bounded(what, stallTimeoutMs, signal, () => file.read(from, length));
        position += chunk.length;
        observed.bytes += chunk.length;
        yield chunk;
      }
      failure = undefined;
    } catch (error) {
      failure = isRinglightError(error) ? error : fileError(error, what);
      throw failure;
    } finally {
      await this.#finish(failure);
    }
  }

  async #finish(error: RinglightError | undefined): Promise<void> {
    clearTimeout(this.#unread);
    this.#options.signal.removeEventListener("abort", this.#abort);
    this.#options.observed.end(error);
    await this.#options.file.close();
  }
}

/**
 * Fills a sink with a range of an open file: the bytes are read into the sink's own memory, and told of only after the file
 * was found unchanged behind them. Closes the file.
 * @throws RL_VERSION_CHANGED, RL_UFS_TIMEOUT, RL_UFS_ERROR, or what the signal means
 */
export async function fillFromFile(options: FileReadOptions, sink: ByteSink): Promise<void> {
  const { file, range, signal, observed, what, stallTimeoutMs } = options;
  try {
    for (let position = range.start; position <= range.end; ) {
      const from = position;
      const left = range.end - from + 1;
      const space = sink.space();
      const piece = space.length > left ? space.subarray(0, left) : space;
      await bounded(what, stallTimeoutMs, signal, () => file.readInto(from, piece));
      position += piece.length;
      observed.bytes += piece.length;
      sink.advance(piece.length);
    }
  } catch (error) {
    throw isRinglightError(error) ? error : fileError(error, what);
  } finally {
    await file.close();
  }
}

/** A file opened in one version. */
export class OpenFile {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  readonly #version: string;
  readonly #what: string;
  readonly #release: () => void;
  #reading: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Takes over a handle of which the version is known. */
  constructor(handle: FileHandle, version: string, sizeBytes: number, what: string, release: () => void) {
    this.#handle = handle;
    this.#version = version;
    this.sizeBytes = sizeBytes;
    this.#what = what;
    this.#release = release;
  }

  /** Takes the handle over. @throws RL_VERSION_CHANGED when the file is of another version. */
  static async open(handle: FileHandle, version: string, what: string, release: () => void): Promise<OpenFile> {
    try {
      const current = versionOf(await handle.stat({ bigint: true }));
      if (current.version !== version) throw new RinglightError("RL_VERSION_CHANGED", `the file changed: ${what}`);
      return new OpenFile(handle, version, current.sizeBytes, what, release);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Bytes of the version: the file is looked at after each reading and before they are given out. A write changes the
   * time before it changes bytes, so bytes of another version are never given out.
   */
  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    await this.readInto(position, buffer);
    return buffer;
  }

  /** The same, into memory of the caller, all of which is filled. */
  readInto(position: number, into: Uint8Array): Promise<void> {
    const work = this.#readChecked(position, into);
    this.#reading = work.catch(() => undefined);
    return work;
  }

  /** Waits for a reading that hangs rather than to close the descriptor beneath it, but does not let the caller wait. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    const closing = this.#reading.then(() => this.#handle.close()).catch(() => undefined);
    await Promise.race([closing, new Promise<void>((resolve) => setTimeout(resolve, 100).unref())]);
  }

  async #readChecked(position: number, into: Uint8Array): Promise<void> {
    const { length } = into;
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(into, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    const after = versionOf(await this.#handle.stat({ bigint: true }));
    if (filled < length || after.version !== this.#version) {
      throw new RinglightError("RL_VERSION_CHANGED", `the file changed while it was read: ${this.#what}`);
    }
  }
}

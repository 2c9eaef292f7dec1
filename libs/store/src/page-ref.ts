/** A page in a reader's hands. */
import * as fs from "node:fs";
import { type PageRef, RinglightError } from "@ringlight/core";
import type { OpenFile } from "./open-files.ts";
import type { Volume } from "./volume.ts";

/**
 * Reads are synchronous: a page that is hit is nearly always in the system's page cache, where a read on an open descriptor
 * costs a tenth of a trip to the thread pool.
 */
export class FilePageRef implements PageRef {
  readonly tier: string;
  readonly lengthBytes: number;
  readonly fd: number;
  readonly position = 0;
  readonly #volume: Volume;
  readonly #file: OpenFile;
  #released = false;

  constructor(volume: Volume, file: OpenFile, lengthBytes: number) {
    this.tier = volume.tier;
    this.lengthBytes = lengthBytes;
    this.fd = file.fd;
    this.#volume = volume;
    this.#file = file;
  }

  /** Path of the page's file; undefined once the page left the index. */
  get path(): string | undefined {
    return this.#file.retired ? undefined : this.#volume.pathOf(this.#file.slot);
  }

  read(offset: number, length: number): Buffer {
    if (this.#released) throw new RinglightError("RL_INTERNAL", "the page was read after it had been released");
    if (!(offset >= 0 && length >= 0 && offset + length <= this.lengthBytes)) {
      throw new RinglightError(
        "RL_BAD_RANGE",
        `bytes ${offset} to ${offset + length} are not all within a page of ${this.lengthBytes} bytes`,
      );
    }
    const buffer = Buffer.allocUnsafe(length);
    let at = 0;
    let cause: unknown;
    try {
      while (at < length) {
        const read = fs.readSync(this.fd, buffer, at, length - at, offset + at);
        if (read === 0) break;
        at += read;
      }
    } catch (error) {
      cause = error;
    }
    if (at === length) return buffer;
    if (!this.#file.retired) this.#volume.drop(this.#file.slot, "corrupt");
    throw new RinglightError("RL_INTERNAL", "the page's file cannot be read; the page is dropped, read it again", {
      cause,
    });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#volume.release(this.#file);
  }
}

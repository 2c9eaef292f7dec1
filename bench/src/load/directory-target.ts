/** A target that is a directory: a mount, or a local file system. Files that ranges are read of stay open. */
import { close, mkdirSync, open, readdir, read as readFile, stat, writeFile } from "node:fs";
import { dirname, join } from "node:path";
import type { PlannedRequest } from "../workloads/plan.ts";
import { writtenBody } from "./object-bytes.ts";
import { type Answer, failed, type Target } from "./target.ts";

const MAX_OPEN = 256;
const CHUNK_BYTES = 1024 * 1024;

/** Reads files below a directory. */
export class DirectoryTarget implements Target {
  readonly #root: string;
  readonly #open = new Map<string, number>();
  readonly #buffers: Buffer[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  perform(request: PlannedRequest, done: (answer: Answer) => void): void {
    const sentMs = performance.now();
    const path = join(this.#root, request.key);
    const answered = (error: Error | null, bytes: number, firstByteMs = performance.now() - sentMs) =>
      done(error === null ? { ok: true, bytes, firstByteMs, error: "", head: "" } : failed(error));
    switch (request.op) {
      case "head":
        stat(path, (error) => answered(error, 0));
        break;
      case "list":
        readdir(path, (error) => answered(error, 0));
        break;
      case "open":
        open(path, "r", (error, file) => {
          if (error) answered(error, 0);
          else close(file, (failure) => answered(failure ?? null, 0));
        });
        break;
      case "put":
        mkdirSync(dirname(path), { recursive: true });
        writeFile(path, writtenBody(request.key, request.length), (error) => answered(error, request.length));
        break;
      case "get":
        this.#get(path, request, sentMs, answered);
    }
  }

  async close(): Promise<void> {
    for (const file of this.#open.values()) close(file);
    this.#open.clear();
  }

  #get(
    path: string,
    { offset, length, key }: PlannedRequest,
    sentMs: number,
    answered: (error: Error | null, bytes: number, firstByteMs?: number) => void,
  ): void {
    const isWhole = length === 0;
    const known = isWhole ? undefined : this.#open.get(path);
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafe(CHUNK_BYTES);
    const finish = (file: number, error: Error | null, bytes: number, firstByteMs: number) => {
      this.#buffers.push(buffer);
      const report = () => answered(error, bytes, firstByteMs);
      if (isWhole) close(file, report);
      else report();
    };
    const from = (file: number) => {
      let got = 0;
      let firstByteMs = 0;
      const more = () => {
        const wanted = isWhole ? CHUNK_BYTES : Math.min(CHUNK_BYTES, length - got);
        readFile(file, buffer, 0, wanted, offset + got, (error, count) => {
          if (firstByteMs === 0) firstByteMs = performance.now() - sentMs;
          if (error) return finish(file, error, got, firstByteMs);
          got += count;
          if (count > 0 && (isWhole || got < length)) return more();
          const short = !isWhole && got < length ? new Error(`${key} ${offset}+${length}: ${got} bytes came`) : null;
          finish(file, short, got, firstByteMs);
        });
      };
      more();
    };
    if (known !== undefined) {
      from(known);
      return;
    }
    open(path, "r", (error, file) => {
      if (error) {
        this.#buffers.push(buffer);
        answered(error, 0);
        return;
      }
      if (!isWhole) this.#keep(path, file);
      from(file);
    });
  }

  #keep(path: string, file: number): void {
    const other = this.#open.get(path);
    if (other !== undefined) close(other);
    else if (this.#open.size >= MAX_OPEN) {
      // The one that was opened first; reads that are under way on it hold the file by its number, so it closes a little later.
      const [oldest, number] = this.#open.entries().next().value ?? [];
      if (oldest !== undefined && number !== undefined) {
        this.#open.delete(oldest);
        setTimeout(() => close(number), 10_000).unref();
      }
    }
    this.#open.set(path, file);
  }
}

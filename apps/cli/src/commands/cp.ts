/** `ringlight cp`: objects out of the cache into local files. */
import { createWriteStream, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { RinglightClient } from "@ringlight/client";
import { isKernelDirectory } from "@ringlight/config";
import { formatBytes, formatDuration, isRinglightError, RinglightError, toRinglightError } from "@ringlight/core";
import { withClient } from "../connection.ts";
import { PartialFailure } from "../exit-codes.ts";
import { count } from "../format.ts";
import { type CommonOptions, note, print } from "./output.ts";

/** Options of the command. */
export interface CpOptions extends CommonOptions {
  readonly recursive?: boolean;
}

const CONCURRENT = 4;
const PROGRESS_MS = 200;

interface Copy {
  readonly path: string;
  readonly file: string;
  readonly sizeBytes: number;
}

function isDirectory(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** A line of progress that is overwritten, on a terminal only. */
class Progress {
  bytes = 0;
  files = 0;
  readonly #totalFiles: number;
  readonly #totalBytes: number;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(copies: readonly Copy[], shown: boolean) {
    this.#totalFiles = copies.length;
    this.#totalBytes = copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (shown && process.stderr.isTTY) this.#timer = setInterval(() => this.#draw(), PROGRESS_MS);
  }

  end(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    process.stderr.write("\r\x1b[K");
  }

  #draw(): void {
    const bytes = `${formatBytes(this.bytes)} of ${formatBytes(this.#totalBytes)}`;
    process.stderr.write(`\r\x1b[K${bytes}, ${this.files} of ${count(this.#totalFiles, "file")}`);
  }
}

/** Copies one object: to a temporary name beside the file, which gets its name when it is whole. */
async function copyOne(client: RinglightClient, copy: Copy, progress: Progress): Promise<number> {
  mkdirSync(path.dirname(copy.file), { recursive: true });
  const partial = path.join(path.dirname(copy.file), `.${path.basename(copy.file)}.${process.pid}.partial`);
  const { stream, object } = client.read(copy.path);
  // Both fail for the same reason; the stream's failure is the one that is reported.
  object.catch(() => {});
  let bytes = 0;
  try {
    const counted = async function* () {
      for await (const chunk of stream) {
        bytes += chunk.length;
        progress.bytes += chunk.length;
        yield chunk;
      }
    };
    await pipeline(counted, createWriteStream(partial));
    const { sizeBytes } = await object;
    if (bytes !== sizeBytes) {
      throw new RinglightError("RL_INTERNAL", `${copy.path} has ${sizeBytes} bytes and ${bytes} arrived`);
    }
    renameSync(partial, copy.file);
    progress.files++;
    return bytes;
  } catch (error) {
    rmSync(partial, { force: true });
    throw asCopyError(error, copy.file);
  }
}

function asCopyError(error: unknown, file: string): RinglightError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC") return new RinglightError("RL_DISK_FULL", `the disk of ${file} is full; free some space`);
  if (code === "EACCES" || code === "EROFS") {
    return new RinglightError("RL_NO_PERMISSION", `${file} may not be written by this user`);
  }
  return toRinglightError(error);
}

/** Where an object of a tree goes; a key that would climb out of the directory is refused. */
function fileFor(root: string, relative: string): string {
  const file = path.join(root, relative);
  if (file !== root && !file.startsWith(`${root}${path.sep}`)) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `the key ${relative} leads out of ${root}; copy it alone, to a name of its own`,
    );
  }
  return file;
}

async function plan(client: RinglightClient, source: string, target: string, recursive: boolean): Promise<Copy[]> {
  if (!recursive) {
    const { sizeBytes } = await client.stat(source).catch((error: unknown) => {
      if (!isRinglightError(error, "RL_NOT_FOUND")) throw error;
      throw new RinglightError("RL_NOT_FOUND", `there is no object ${source}; for all below a directory use -r`);
    });
    const into = isDirectory(target) || target.endsWith("/");
    return [{ path: source, file: into ? path.join(target, path.posix.basename(source)) : target, sizeBytes }];
  }
  const prefix = source.endsWith("/") ? source : `${source}/`;
  const root = path.resolve(target);
  const copies: Copy[] = [];
  for await (const page of client.listAll(prefix)) {
    for (const object of page.objects) {
      // A key that ends with a slash stands for a directory and has no file.
      if (object.path.endsWith("/")) continue;
      copies.push({
        path: object.path,
        file: fileFor(root, object.path.slice(prefix.length)),
        sizeBytes: object.sizeBytes,
      });
    }
  }
  if (copies.length === 0) throw new RinglightError("RL_NOT_FOUND", `there is no object below ${prefix}`);
  return copies;
}

/** Refuses a target where no file can be. @throws RL_BAD_REQUEST */
function checkTarget(target: string): void {
  if (!isKernelDirectory(target)) return;
  throw new RinglightError("RL_BAD_REQUEST", `${target} is the kernel's and holds no files; copy to another place`);
}

/** Runs the command. */
export async function cp(source: string, target: string, options: CpOptions): Promise<void> {
  if (!source.startsWith("/") || isDirectory(source) || statSync(source, { throwIfNoEntry: false })) {
    throw new RinglightError(
      "RL_READ_ONLY",
      `cp copies from a path of the cluster (/mount/key) to a local file, not from "${source}"; write to the store directly`,
    );
  }
  checkTarget(target);
  const started = Date.now();
  await withClient(options, async (client) => {
    const copies = await plan(client, source, target, options.recursive === true);
    const progress = new Progress(copies, !options.json);
    const copied: Copy[] = [];
    const failed: { path: string; code: string; message: string }[] = [];
    let firstError: unknown;
    const queue = copies.values();
    const worker = async () => {
      for (const copy of queue) {
        try {
          copied.push({ ...copy, sizeBytes: await copyOne(client, copy, progress) });
        } catch (error) {
          firstError ??= error;
          failed.push({ path: copy.path, code: toRinglightError(error).code, message: (error as Error).message });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENT, copies.length) }, worker));
    progress.end();
    if (copied.length === 0) throw firstError;
    const result = { copied, failed, bytes: progress.bytes, durationMs: Date.now() - started };
    print(options.json, result, () =>
      copies.length === 1
        ? `${copied[0]?.file}: ${formatBytes(result.bytes)} in ${formatDuration(result.durationMs)}`
        : `${count(copied.length, "file")}, ${formatBytes(result.bytes)} in ${formatDuration(result.durationMs)}`,
    );
    if (failed.length === 0) return;
    if (!options.json) for (const { path: name, code, message } of failed) note(`${name}: ${code}: ${message}`);
    throw new PartialFailure(`${failed.length} of ${count(copies.length, "file")} could not be copied`);
  });
}

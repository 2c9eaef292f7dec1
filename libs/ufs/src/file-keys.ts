/** How keys become paths beneath a directory, and why none leads out of it. */

import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { RinglightError } from "@ringlight/core";

/** Name of the directory in the mount's own where writes keep what is theirs. No key begins with it. */
export const HIDDEN_DIRECTORY = ".ringlight-writes";

/** Is `path` the directory itself or beneath it? Both are real paths. */
function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

/** The directory of a file:// mount. */
export class FileRoot {
  /** As the mount names it. */
  readonly directory: string;
  #real: string | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * The path of a key, "" for the root. Keys with empty segments, "." or ".." name nothing: the same file would have
   * many keys, and some would lie outside.
   * @returns undefined for a key that no file can have. @throws RL_BAD_REQUEST for one with a zero byte.
   */
  pathOf(key: string): string | undefined {
    if (key.includes("\0")) throw new RinglightError("RL_BAD_REQUEST", "a key on a file system holds no zero byte");
    if (key === "") return this.directory;
    if (!key.isWellFormed() || key === HIDDEN_DIRECTORY || key.startsWith(`${HIDDEN_DIRECTORY}/`)) return undefined;
    for (const segment of key.split("/")) if (segment === "" || segment === "." || segment === "..") return undefined;
    return join(this.directory, key);
  }

  /** Does a real path lie in the root? The root's own is looked up again when it seems not: it may be a link that was moved. */
  async holds(real: string): Promise<boolean> {
    if (this.#real !== undefined && isInside(real, this.#real)) return true;
    this.#real = await realpath(this.directory);
    return isInside(real, this.#real);
  }

  /**
   * Opens what a key names for reading, whatever it is. The descriptor's own path is looked at, after the opening, so no
   * exchange of links in between leads outside.
   * @returns undefined when there is nothing, or nothing inside of the root.
   */
  async open(key: string): Promise<FileHandle | undefined> {
    const path = this.pathOf(key);
    if (path === undefined) return undefined;
    let handle: FileHandle;
    try {
      // Not blocking: opening a named pipe would otherwise wait for a writer.
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(error, path);
    }
    try {
      if (await this.holds(await realPathOf(handle, path))) return handle;
    } catch (error) {
      await handle.close();
      throw fileError(error, path);
    }
    await handle.close();
    return undefined;
  }
}

async function realPathOf(handle: FileHandle, path: string): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`);
  } catch {
    // No /proc: another system than Linux.
    return realpath(path);
  }
}

const MISSING = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "ENXIO"]);

/** Does the error say that there is nothing of that name? */
export function isMissing(error: unknown): boolean {
  return MISSING.has((error as NodeJS.ErrnoException).code ?? "");
}

/** What an error of the file system means. */
export function fileError(error: unknown, path: string): RinglightError {
  if (error instanceof RinglightError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") {
    return new RinglightError("RL_UFS_DENIED", `may not read ${path}; give this process's user access`);
  }
  if (code === "EMFILE" || code === "ENFILE") {
    return new RinglightError(
      "RL_OVERLOADED",
      `no file descriptor is left to open ${path}; raise the limit (ulimit -n)`,
    );
  }
  if (code === "ESTALE" || code === "ENOTCONN" || code === "EHOSTDOWN") {
    return new RinglightError(
      "RL_UFS_UNAVAILABLE",
      `${path}: ${message}; check the file system's server and mount it again`,
    );
  }
  return new RinglightError("RL_UFS_ERROR", `${path}: ${message}`);
}

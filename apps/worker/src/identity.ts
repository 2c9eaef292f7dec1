/** The stable identity of a worker, kept in its data directory so that it survives restarts and changes of address. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RinglightError } from "@ringlight/core";

const FILE = "worker-id";
const ID = /^[a-z0-9][a-z0-9.-]{0,62}$/;

/**
 * Reads the worker's id from `<dataDir>/worker-id`, or makes one there on the first start.
 *
 * @param configured an id from the configuration; it must agree with the one on disk
 * @throws RL_BAD_CONFIG when both exist and differ, or when the id has characters outside of a-z 0-9 . -
 * @throws RL_NO_PERMISSION when the directory cannot be written
 */
export async function workerIdentity(dataDir: string, configured?: string): Promise<string> {
  if (configured !== undefined && !ID.test(configured)) {
    throw new RinglightError(
      "RL_BAD_CONFIG",
      `id "${configured}" must be 1 to 63 of lower-case letters, digits, dots and hyphens`,
    );
  }
  const file = join(dataDir, FILE);
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const stored = await readFile(file, "utf8").then(
      (text) => text.trim(),
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      },
    );
    if (stored !== undefined && ID.test(stored)) {
      if (configured !== undefined && configured !== stored) {
        throw new RinglightError(
          "RL_BAD_CONFIG",
          `id is "${configured}" but ${file} says "${stored}": another worker's data directory? Use one directory a worker, or remove the file to give this worker a new identity`,
        );
      }
      return stored;
    }
    const id = configured ?? `worker-${randomBytes(4).toString("hex")}`;
    await writeFile(`${file}.new`, `${id}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
    return id;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
      throw new RinglightError(
        "RL_NO_PERMISSION",
        `cannot write ${file}: choose another data directory or give this user access`,
        { cause: error },
      );
    }
    if (code === "ENOSPC") throw new RinglightError("RL_DISK_FULL", `no space left to write ${file}`, { cause: error });
    throw error;
  }
}

/** Taking a directory of a tier: making it, locking it, and finding out what it can hold. */
import * as fs from "node:fs";
import { formatBytes, RinglightError, toRinglightError } from "@ringlight/core";
import { DirectoryLock } from "./directory-lock.ts";
import { errnoOf } from "./file-io.ts";

/** A directory that cannot hold this much is full: the smallest useful tier. */
const LEAST_BYTES = 1024 * 1024;

/** Makes the directory if need be and locks it. @throws RL_CONFLICT and what directoryError names. */
export function takeDirectory(directory: string): DirectoryLock {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    return DirectoryLock.acquire(directory);
  } catch (error) {
    throw directoryError(directory, error);
  }
}

/** True if the files of the directory are in memory, so that making one never waits for a disk. */
export function isInMemory(directory: string): boolean {
  const TMPFS = 0x0102_1994;
  const RAMFS = 0x8584_58f6;
  const { type } = fs.statfsSync(directory);
  return process.platform === "linux" && (type === TMPFS || type === RAMFS);
}

/**
 * The bytes that a directory with `ownBytes` of pages may use: the wanted limit, or what its file system has free now if
 * that is less. @throws RL_DISK_FULL if that is too little to be of use.
 */
export async function fittingLimit(directory: string, wantedBytes: number, ownBytes: number): Promise<number> {
  const system = await fs.promises.statfs(directory);
  const fittingBytes = system.bavail * system.bsize + ownBytes;
  if (wantedBytes <= fittingBytes) return wantedBytes;
  if (fittingBytes < LEAST_BYTES) {
    throw new RinglightError(
      "RL_DISK_FULL",
      `the file system of ${directory} has ${formatBytes(fittingBytes)} left; free some, or choose another directory`,
    );
  }
  return fittingBytes;
}

/** An error of the file system as an error of the table, naming the directory and what to do. */
export function directoryError(directory: string, error: unknown): RinglightError {
  switch (errnoOf(error)) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new RinglightError(
        "RL_NO_PERMISSION",
        `this process may not write to ${directory}; give its user access, or choose another directory`,
        { cause: error },
      );
    case "ENOSPC":
    case "EDQUOT":
      return new RinglightError(
        "RL_DISK_FULL",
        `the file system of ${directory} is full; free some bytes or inodes, or choose another directory`,
        { cause: error },
      );
    case "ENOTDIR":
    case "EEXIST":
      return new RinglightError("RL_BAD_CONFIG", `${directory} is not a directory; choose one for the tier`, {
        cause: error,
      });
    default:
      return toRinglightError(error);
  }
}

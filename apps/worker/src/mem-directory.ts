/** The directory of the mem tier: on tmpfs, one for each data directory, and swept when its data directory is gone. */
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";

const OWNER_FILE = "owner";

/** What was chosen. */
export interface MemDirectory {
  readonly directory: string;
  /** False when there is no tmpfs to be had: the pages are then files on disk, which the system keeps in memory as it can. */
  readonly inMemory: boolean;
}

/**
 * Makes the directory of the mem tier for a data directory: the same one after a restart, so that its pages are found
 * again. Directories of this user whose data directory no longer exists are removed, for nobody would ever use them.
 *
 * @param tmpfs a directory on tmpfs
 */
export function memDirectory(dataDir: string, tmpfs = "/dev/shm"): MemDirectory {
  const owner = resolve(dataDir);
  if (!isWritableDirectory(tmpfs)) {
    const directory = join(owner, "mem");
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return { directory, inMemory: false };
  }
  const prefix = `ringlight-${userInfo().uid}-`;
  sweep(tmpfs, prefix);
  const home = join(tmpfs, prefix + createHash("sha256").update(owner).digest("hex").slice(0, 16));
  const directory = join(home, "pages");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(home, OWNER_FILE), owner, { mode: 0o600 });
  return { directory, inMemory: true };
}

function sweep(tmpfs: string, prefix: string): void {
  for (const name of readdirSync(tmpfs)) {
    if (!name.startsWith(prefix)) continue;
    const home = join(tmpfs, name);
    try {
      const owner = readFileSync(join(home, OWNER_FILE), "utf8");
      if (!existsSync(owner)) rmSync(home, { recursive: true, force: true });
    } catch {
      // Being made by another worker at this moment, or not ours to read: left alone.
    }
  }
}

function isWritableDirectory(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

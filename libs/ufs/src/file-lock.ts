/** One writer of a key at a time, over all processes that share the directory: a lock file, held for the time of a rename. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { RinglightError } from "@ringlight/core";
import { fileError } from "./file-keys.ts";

/** A lock this old was left by a process that died, milliseconds: what it guards takes a few. */
const ABANDONED_MS = 15_000;
/** Longest wait for a lock, milliseconds. */
const WAIT_MS = 20_000;

/** Runs work while holding the lock at a path. @throws RL_UFS_TIMEOUT */
export async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const untilMs = Date.now() + WAIT_MS;
  for (let attempt = 0; !(await take(path)); attempt++) {
    if (Date.now() > untilMs) throw new RinglightError("RL_UFS_TIMEOUT", `the lock ${path} was not free in time`);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(50, 2 ** attempt)));
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") {
      await mkdir(dirname(path), { recursive: true });
      return false;
    }
    if (code !== "EEXIST") throw fileError(error, path);
  }
  try {
    if (Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS) {
      // Renamed first, so that of several that find it old one removes it, and none a new one.
      const aside = `${path}.${randomBytes(6).toString("hex")}`;
      await rename(path, aside);
      await rm(aside, { force: true });
    }
  } catch {
    // It is gone: the next attempt tells.
  }
  return false;
}

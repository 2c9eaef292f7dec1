/** What a directory holds at start. */
import * as fs from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type PageName, parsePageName, TEMPORARY_PREFIX } from "./page-file.ts";

/** Pages lie in this many sub-directories, named 00 to ff. */
const SUBDIRECTORIES = 256;
/** Directory of the sub-directories. */
const PAGES_DIRECTORY = "pages";
/** By how much the first sub-directory that is read may be smaller than the mean, roughly. */
const SPREAD = 1.1;
/** Directories read at once; more would keep the thread pool from everybody else. */
const CONCURRENCY = 4;

/** Paths of the sub-directories. */
export function subdirectories(directory: string): string[] {
  return Array.from({ length: SUBDIRECTORIES }, (_, at) =>
    join(directory, PAGES_DIRECTORY, at.toString(16).padStart(2, "0")),
  );
}

/** What recovery came across. */
export interface RecoveryCounts {
  pages: number;
  /** Sub-directories that had to be read. */
  read: number;
  /** Temporary files and duplicates, removed. */
  removed: number;
  /** Files that are not the store's, left alone. */
  foreign: number;
}

/**
 * Makes the sub-directories that are missing, removes what a killed process left half-written, and reports every page by
 * its name alone: no file is opened or examined, the pages are verified when they are first read. `add` answers false for
 * a page that has no place there; its file is removed. `expect` is told about how many pages there are, once. Where `known`
 * answers with the number of a sub-directory's pages, it has told of them, and the sub-directory is not read.
 */
export async function recoverPages(
  directories: readonly string[],
  expect: (pages: number) => void,
  add: (page: PageName, subdirectory: number) => boolean,
  known: (subdirectory: number) => number | undefined,
): Promise<RecoveryCounts> {
  const counts: RecoveryCounts = { pages: 0, read: 0, removed: 0, foreign: 0 };
  const recoverOne = async (subdirectory: number): Promise<void> => {
    const pages = known(subdirectory);
    if (pages !== undefined) {
      counts.pages += pages;
      // Others have their turn.
      await setImmediate();
      return;
    }
    const directory = directories[subdirectory]!;
    const names = await list(directory);
    if (counts.read++ === 0) expect(names.length * directories.length * SPREAD);
    for (const name of names) {
      if (name.startsWith(TEMPORARY_PREFIX)) {
        await remove(join(directory, name));
        counts.removed++;
        continue;
      }
      const page = parsePageName(name);
      if (page === undefined) {
        counts.foreign++;
      } else if (add(page, subdirectory)) {
        counts.pages++;
      } else {
        await remove(join(directory, name));
        counts.removed++;
      }
    }
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < directories.length) await recoverOne(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return counts;
}

async function list(directory: string): Promise<string[]> {
  try {
    return await fs.promises.readdir(directory);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    await fs.promises.mkdir(directory, { recursive: true, mode: 0o700 });
    return [];
  }
}

async function remove(path: string): Promise<void> {
  await fs.promises.rm(path, { force: true });
}

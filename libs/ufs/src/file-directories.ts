/**
 * Sorted listings of directories, kept while they are true: paging through a directory of a million files reads and
 * sorts it once, not once a page. Bounded by the number of names held; the directory used longest ago goes first.
 */
import { opendir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { type FileRoot, fileError, HIDDEN_DIRECTORY, isMissing } from "./file-keys.ts";
import { sortNames } from "./sort-names.ts";

/** Names in a directory in the order of keys: files as they are, directories with a slash at their end. */
type Entries = readonly string[];

interface Kept {
  /** Modification time and inode of the directory when it was read. */
  readonly state: string;
  readonly entries: Entries;
}

/** Names held at most, over all directories. */
const MAX_NAMES = 2_000_000;
/**
 * A directory changed so short a time before it was read may change again within the same tick of the file system's
 * clock, unseen. Its listing is used once and read again, until it has been quiet for this long.
 */
const SETTLED_NS = 2_000_000_000n;
const READ_AHEAD = 1024;

/** The directories of one mount. */
export class FileDirectories {
  readonly #root: FileRoot;
  readonly #kept = new Map<string, Kept>();
  readonly #reading = new Map<string, Promise<Entries>>();
  #names = 0;

  constructor(root: FileRoot) {
    this.#root = root;
  }

  /** Names in a directory: "" or a key ending with a slash. Empty when there is no such directory in the root. @throws RL_UFS_DENIED */
  async entries(directory: string): Promise<Entries> {
    const path = this.#root.pathOf(directory.slice(0, -1));
    if (path === undefined) return [];
    try {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      const before = await stat(path, { bigint: true });
      if (!before.isDirectory()) return [];
      const state = `${before.mtimeNs}-${before.ino}-${before.dev}`;
      const kept = this.#kept.get(directory);
      if (kept?.state === state) {
        this.#kept.delete(directory);
        this.#kept.set(directory, kept);
        return kept.entries;
      }
      // Callers that come while a directory is read share that reading, if it began on the same state.
      const flight = `${state} ${directory}`;
      let reading = this.#reading.get(flight);
      if (reading === undefined) {
        reading = this.#read(path).finally(() => this.#reading.delete(flight));
        this.#reading.set(flight, reading);
      }
      const entries = await reading;
      const settled = nowNs - before.mtimeNs > SETTLED_NS;
      this.#keep(directory, settled ? { state, entries } : undefined);
      return entries;
    } catch (error) {
      if (isMissing(error)) return [];
      throw fileError(error, path);
    }
  }

  #keep(directory: string, kept: Kept | undefined): void {
    this.#names -= this.#kept.get(directory)?.entries.length ?? 0;
    this.#kept.delete(directory);
    if (kept === undefined || kept.entries.length > MAX_NAMES) return;
    this.#kept.set(directory, kept);
    this.#names += kept.entries.length;
    for (const [oldest, { entries }] of this.#kept) {
      if (this.#names <= MAX_NAMES) break;
      this.#kept.delete(oldest);
      this.#names -= entries.length;
    }
  }

  async #read(path: string): Promise<Entries> {
    const real = await realpath(path);
    if (!(await this.#root.holds(real))) return [];
    const isRoot = path === this.#root.directory;
    const names: string[] = [];
    const links: string[] = [];
    for await (const entry of await opendir(path, { bufferSize: READ_AHEAD })) {
      const { name } = entry;
      if (isRoot && name === HIDDEN_DIRECTORY) continue;
      if (entry.isFile()) names.push(name);
      else if (entry.isDirectory()) names.push(`${name}/`);
      else if (entry.isSymbolicLink()) links.push(name);
    }
    for (const name of links) {
      const entry = await this.#follow(join(path, name), real);
      if (entry !== "") names.push(name + entry.slice(1));
    }
    return sortNames(names);
  }

  /** What a link counts as: "f" a file, "d/" a directory, "" nothing. A link to a directory above it would never end. */
  async #follow(path: string, directory: string): Promise<"f" | "d/" | ""> {
    try {
      const target = await realpath(path);
      if (!(await this.#root.holds(target))) return "";
      const state = await stat(target);
      if (state.isFile()) return "f";
      const above = directory === target || directory.startsWith(target + sep);
      return state.isDirectory() && !above ? "d/" : "";
    } catch {
      // Dangling, circular or out of reach: such a link is no object.
      return "";
    }
  }
}

/** Listings of a directory tree in the order of S3: by the UTF-8 bytes of whole keys. */
import { stat } from "node:fs/promises";
import { compareKeys, type ListedObject, type ListPage, type ListRequest } from "@ringlight/core";
import { throwIfAborted } from "./call.ts";
import type { FileDirectories } from "./file-directories.ts";
import { type FileRoot, fileError, isMissing } from "./file-keys.ts";
import type { FileSidecars } from "./file-sidecars.ts";
import { versionOf } from "./file-version.ts";

const LAST_CHARACTER = "\u{10ffff}";
const STATS_AT_ONCE = 16;

/** First position in sorted names that is not less than `name`. */
function lowerBound(names: readonly string[], name: string): number {
  let from = 0;
  let to = names.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (compareKeys(names[middle] ?? "", name) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Lists one mount. */
export class FileLister {
  readonly #root: FileRoot;
  readonly #directories: FileDirectories;
  readonly #sidecars: FileSidecars;

  constructor(root: FileRoot, directories: FileDirectories, sidecars: FileSidecars) {
    this.#root = root;
    this.#sidecars = sidecars;
    this.#directories = directories;
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    const found = await this.#collect(request, request.maxKeys + 1, signal);
    const truncated = found.length > request.maxKeys;
    const page = truncated ? found.slice(0, request.maxKeys) : found;
    const hasSidecars = await this.#sidecars.exist();
    const objects = await this.#describe(
      page.filter(({ rolled }) => !rolled).map(({ key }) => key),
      hasSidecars,
      signal,
    );
    const commonPrefixes = page.filter(({ rolled }) => rolled).map(({ key }) => key);
    return { objects, commonPrefixes, truncated, nextStartAfter: truncated ? (page.at(-1)?.key ?? "") : "" };
  }

  /** Up to `limit` keys and common prefixes, in order. */
  async #collect(request: ListRequest, limit: number, signal: AbortSignal): Promise<Found[]> {
    const { prefix, delimiter, startAfter } = request;
    const found: Found[] = [];
    let after = startAfter;
    for (;;) {
      let skipTo: string | undefined;
      for await (const key of this.#walk(prefix, after, delimiter === "/", signal)) {
        const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
        const rolled = at === -1 ? undefined : key.slice(0, at + delimiter.length);
        if (rolled === undefined) found.push({ key, rolled: false });
        else if (compareKeys(rolled, startAfter) > 0 && found.at(-1)?.key !== rolled)
          found.push({ key: rolled, rolled: true });
        if (found.length >= limit) return found;
        // With "/" the walk stops at directories by itself; other delimiters have their runs of keys skipped.
        if (rolled !== undefined && delimiter !== "/" && compareKeys(rolled + LAST_CHARACTER, after) > 0) {
          skipTo = rolled + LAST_CHARACTER;
          break;
        }
      }
      if (skipTo === undefined) return found;
      after = skipTo;
    }
  }

  /**
   * Keys with a prefix, behind a start, in order. `flat` gives directories beneath the prefix as keys with a slash at
   * their end instead of walking them; whether they hold anything is not looked at.
   */
  async *#walk(prefix: string, startAfter: string, flat: boolean, signal: AbortSignal): AsyncGenerator<string> {
    const directory = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    if (startAfter !== "" && !startAfter.startsWith(directory) && compareKeys(startAfter, directory) > 0) return;
    yield* this.#walkDirectory(directory, prefix.slice(directory.length), startAfter, flat, signal);
  }

  async *#walkDirectory(
    directory: string,
    namePrefix: string,
    startAfter: string,
    flat: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    throwIfAborted(signal, "a listing");
    const names = await this.#directories.entries(directory);
    const within = startAfter.startsWith(directory) ? startAfter.slice(directory.length) : "";
    // The entry in which the start lies: all before it are not greater, all behind it are.
    const slash = within.indexOf("/");
    const first = slash === -1 ? within : within.slice(0, slash + 1);
    let position = lowerBound(names, compareKeys(first, namePrefix) > 0 ? first : namePrefix);
    for (; position < names.length; position++) {
      const name = names[position] ?? "";
      if (!name.startsWith(namePrefix)) return;
      const key = directory + name;
      if (!name.endsWith("/")) {
        if (compareKeys(key, startAfter) > 0) yield key;
      } else if (!flat)
        yield* this.#walkDirectory(key, "", startAfter.startsWith(key) ? startAfter : "", false, signal);
      else if (compareKeys(key, startAfter) > 0) yield key;
    }
  }

  /** Rows of the files that are still there. */
  async #describe(keys: readonly string[], hasSidecars: boolean, signal: AbortSignal): Promise<ListedObject[]> {
    const rows = new Array<ListedObject | undefined>(keys.length);
    let next = 0;
    const work = async () => {
      while (next < keys.length) {
        throwIfAborted(signal, "a listing");
        const position = next++;
        rows[position] = await this.#row(keys[position] ?? "", hasSidecars);
      }
    };
    await Promise.all(Array.from({ length: Math.min(STATS_AT_ONCE, keys.length) }, work));
    return rows.filter((row) => row !== undefined);
  }

  async #row(key: string, hasSidecars: boolean): Promise<ListedObject | undefined> {
    const path = this.#root.pathOf(key);
    if (path === undefined) return undefined;
    try {
      const state = await stat(path, { bigint: true });
      if (!state.isFile()) return undefined;
      const { version, etag, sizeBytes, modifiedMs } = versionOf(state);
      const sidecar = hasSidecars ? await this.#sidecars.read(key, version) : undefined;
      const storageClass = sidecar?.settings.storageClass;
      const row = { key, sizeBytes, etag: sidecar?.etag ?? etag, version, modifiedMs };
      return storageClass === undefined ? row : { ...row, storageClass };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(error, path);
    }
  }
}

interface Found {
  readonly key: string;
  readonly rolled: boolean;
}

/** `ringlight ls`: the namespace, and how much of each object is cached. */
import type { RinglightClient } from "@ringlight/client";
import { formatBytes } from "@ringlight/core";
import type { ListResponse } from "@ringlight/proto";
import { withClient } from "../connection.ts";
import { count, localTime, percent, size } from "../format.ts";
import { answeredNote, type CommonOptions } from "./output.ts";

/** Options of the command. */
export interface LsOptions extends CommonOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly bytes?: boolean;
}

interface Entry {
  readonly path: string;
  readonly type: "mount" | "directory" | "object";
  readonly sizeBytes?: number;
  readonly modifiedMs?: number;
  readonly version?: string;
  readonly cachedBytes?: number;
  readonly cachedShare?: number;
}

async function entriesOf(client: RinglightClient, page: ListResponse, isRoot: boolean, long: boolean) {
  const directories: Entry[] = page.commonPrefixes.map((path) => ({ path, type: isRoot ? "mount" : "directory" }));
  const coverage =
    long && page.objects.length > 0
      ? await client.coverage(page.objects.map(({ path, version, sizeBytes }) => ({ path, version, sizeBytes })))
      : undefined;
  const objects: Entry[] = page.objects.map((object, index) => {
    const cachedBytes = coverage?.objects[index]?.cachedBytes;
    return {
      path: object.path,
      type: "object",
      sizeBytes: object.sizeBytes,
      modifiedMs: object.modifiedUnixMs,
      version: object.version,
      ...(cachedBytes === undefined
        ? {}
        : { cachedBytes, cachedShare: object.sizeBytes === 0 ? 1 : cachedBytes / object.sizeBytes }),
    };
  });
  const entries = [...directories, ...objects].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { entries, coverage };
}

function line(entry: Entry, options: LsOptions, prefix: string): string {
  const name = options.recursive ? entry.path : entry.path.slice(prefix.length) || entry.path;
  if (!options.long) return name;
  if (entry.type !== "object") return `${"–".padStart(12)}  ${"–".padStart(8)}  ${"".padEnd(16)}  ${name}`;
  const bytes = size(entry.sizeBytes ?? 0, options.bytes === true).padStart(12);
  const cached = percent(entry.cachedBytes ?? 0, entry.sizeBytes ?? 0).padStart(8);
  return `${bytes}  ${cached}  ${localTime(entry.modifiedMs ?? 0)}  ${name}`;
}

/** What a level of the listing is asked for, and what is cut from the front of its names. */
function question(path: string): { readonly asked: string; readonly prefix: string } {
  if (path === "/") return { asked: "/", prefix: "/" };
  // "/mount" is a directory even where nobody wrote the slash.
  const isMount = path.indexOf("/", 1) === -1;
  return { asked: path, prefix: isMount ? `${path}/` : path.slice(0, path.lastIndexOf("/") + 1) };
}

/** Runs the command. A path without a slash at its end that names a directory is listed as one. */
export async function ls(path: string, options: LsOptions): Promise<void> {
  await withClient(options, async (client) => {
    const delimiter = options.recursive ? "" : "/";
    let { asked, prefix } = question(path === "" ? "/" : path);
    if (asked !== "/" && !asked.endsWith("/") && asked.indexOf("/", 1) !== -1) {
      const only = await client.list(asked, { delimiter: "/", maxKeys: 2 });
      if (only.objects.length === 0 && only.commonPrefixes.includes(`${asked}/`)) {
        asked = `${asked}/`;
        prefix = asked;
      }
    }
    let files = 0;
    let bytes = 0;
    let unanswered: { answered: number; workers: number } | undefined;
    if (options.long && !options.json)
      process.stdout.write(`${"SIZE".padStart(12)}  ${"CACHED".padStart(8)}  ${"MODIFIED".padEnd(16)}  NAME\n`);
    for await (const page of client.listAll(asked, { delimiter: asked === "/" ? "/" : delimiter })) {
      const { entries, coverage } = await entriesOf(client, page, asked === "/", options.long === true);
      if (coverage && coverage.answered < coverage.workers) unanswered = coverage;
      const lines = entries.map((entry) => (options.json ? JSON.stringify(entry) : line(entry, options, prefix)));
      if (lines.length > 0 && !process.stdout.write(`${lines.join("\n")}\n`)) {
        await new Promise((resolve) => process.stdout.once("drain", resolve));
      }
      files += page.objects.length;
      bytes += page.objects.reduce((sum, object) => sum + object.sizeBytes, 0);
    }
    if (options.long && !options.json) process.stderr.write(`${count(files, "object")}, ${formatBytes(bytes)}\n`);
    if (unanswered) answeredNote(unanswered);
  });
}

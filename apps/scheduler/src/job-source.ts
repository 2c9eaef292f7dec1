/**
 * The objects of a job, in a fixed order, from any place on: listings of paths and patterns page by page, or the lines of a
 * manifest. At most two pages of a listing, the second on its way while the first is worked on, or a few dozen lines are in
 * memory at once, however many objects there are.
 */
import {
  formatPath,
  globMatcher,
  globPrefix,
  isGlob,
  isRinglightError,
  parsePath,
  plain,
  RinglightError,
  toRinglightError,
} from "@ringlight/core";
import type { JobSpec } from "@ringlight/registry";

import type { Placement } from "./job-placement.ts";
import type { Place } from "./job-window.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** An object to handle, or a path that there is nothing of. */
export interface SourceItem {
  readonly path: string;
  /** Where to go on after it. */
  readonly place: Place;
  readonly object?: { readonly version: string; readonly sizeBytes: number };
  readonly failure?: { readonly code: string; readonly message: string };
}

/** What a source needs. */
export interface SourceOptions {
  readonly spec: JobSpec;
  readonly calls: WorkerCalls;
  readonly placement: Placement;
  /** Text of the manifest that came with the job, piece by piece. */
  readonly manifest: () => AsyncIterable<string>;
  readonly signal: AbortSignal;
}

/** Lines whose objects are asked for at once. */
const LINES_AT_ONCE = 32;

/** Objects that are handed on together: one after the other would cost as much as finding them. */
type Items = readonly SourceItem[];

/** Yields the objects of a job behind a place. @throws what makes listing impossible */
export async function* jobObjects(options: SourceOptions, from: Place): AsyncGenerator<Items> {
  const { spec } = options;
  if (spec.manifestPath !== "" || spec.manifestHash !== "") {
    yield* manifestObjects(options, from.source === 0 ? from.after : "");
    return;
  }
  for (let source = from.source; source < spec.paths.length; source++) {
    yield* pathObjects(options, source, spec.paths[source] ?? "", source === from.source ? from.after : "");
  }
}

async function* pathObjects(
  options: SourceOptions,
  source: number,
  path: string,
  after: string,
): AsyncGenerator<Items> {
  let found = after !== "";
  for await (const items of listed(options, source, path, after)) {
    found ||= items.length > 0;
    yield items;
  }
  if (found) return;
  const failure = { code: "RL_NOT_FOUND", message: `the store has nothing at ${path}` };
  yield [{ path, place: { source, after: "" }, failure }];
}

async function* listed(options: SourceOptions, source: number, path: string, after: string): AsyncGenerator<Items> {
  const { mount, key } = parsePath(path);
  if (isGlob(key)) {
    const matches = globMatcher(key);
    for await (const items of below(options, source, mount, globPrefix(key), after)) {
      yield items.filter((item) => matches(item.place.after));
    }
    return;
  }
  const name = plain(key);
  if (name === "" || name.endsWith("/")) {
    yield* below(options, source, mount, name, after);
    return;
  }
  // An object of this name, and then what is below the directory of this name; never "data-2" for "data".
  if (after === "") {
    const page = await options.calls.list(formatPath({ mount, key: name }), "", options.signal);
    const [first] = page.objects;
    if (first !== undefined && parsePath(first.path).key === name) yield [itemOf(source, name, first)];
  }
  yield* below(options, source, mount, `${name}/`, after === name ? "" : after);
}

async function* below(
  { calls, signal }: SourceOptions,
  source: number,
  mount: string,
  prefix: string,
  after: string,
): AsyncGenerator<Items> {
  const path = prefix === "" ? `/${mount}` : formatPath({ mount, key: prefix });
  const keyAt = mount.length + 2;
  let coming: ReturnType<WorkerCalls["list"]> | undefined = calls.list(path, after, signal);
  while (coming !== undefined) {
    const page: Awaited<ReturnType<WorkerCalls["list"]>> = await coming;
    coming = page.truncated ? calls.list(path, page.nextStartAfter, signal) : undefined;
    // Nobody may ask for it any more.
    coming?.catch(() => undefined);
    yield page.objects.map((object) => itemOf(source, object.path.slice(keyAt), object));
  }
}

function itemOf(
  source: number,
  key: string,
  object: { readonly path: string; readonly version: string; readonly sizeBytes: number },
): SourceItem {
  const { path, version, sizeBytes } = object;
  return { path, place: { source, after: key }, object: { version, sizeBytes } };
}

/** A place in a manifest is a line's number, and for a manifest in a store its version: a changed one cannot be gone on with. */
async function* manifestObjects(options: SourceOptions, after: string): AsyncGenerator<Items> {
  const [line = "0", known = ""] = after === "" ? [] : after.split(" ", 2);
  const skip = Number(line);
  let batch: { readonly path: string; readonly place: Place }[] = [];
  let number = 0;
  for await (const { text, version } of manifestLines(options)) {
    if (known !== "" && version !== known) {
      throw new RinglightError("RL_VERSION_CHANGED", "the manifest changed while the job ran; submit the job again");
    }
    number++;
    const path = pathOfLine(text);
    if (number <= skip || path === "" || path.startsWith("#")) continue;
    batch.push({ path, place: { source: 0, after: `${number} ${version}`.trimEnd() } });
    if (batch.length < LINES_AT_ONCE) continue;
    yield await Promise.all(batch.map((entry) => stat(options, entry)));
    batch = [];
  }
  yield await Promise.all(batch.map((entry) => stat(options, entry)));
}

async function stat(
  { calls, placement, signal }: SourceOptions,
  entry: { readonly path: string; readonly place: Place },
): Promise<SourceItem> {
  try {
    const { mount, key } = parsePath(entry.path);
    if (key === "") throw new RinglightError("RL_BAD_REQUEST", `"${entry.path}" names a mount, not an object`);
    const { version, sizeBytes } = await calls.stat(entry.path, placement.owners(mount, key, 0, 1)[0], signal);
    return { ...entry, object: { version, sizeBytes } };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = toRinglightError(error);
    return { ...entry, failure: { code, message } };
  }
}

/** A path as a line of a manifest: as it is, or as a JSON string where it holds what a line cannot. */
export function lineOfPath(path: string): string {
  return /[\n\r]/.test(path) ? JSON.stringify(path) : path;
}

function pathOfLine(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

async function* manifestLines(
  options: SourceOptions,
): AsyncGenerator<{ readonly text: string; readonly version: string }> {
  const { spec, calls, signal } = options;
  let rest = "";
  let version = "";
  if (spec.manifestPath === "") {
    for await (const piece of options.manifest()) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) yield { text, version };
    }
  } else {
    const decoder = new TextDecoder();
    try {
      for await (const part of calls.read(spec.manifestPath, signal)) {
        ({ version } = part);
        const lines = (rest + decoder.decode(part.data, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const text of lines) yield { text, version };
      }
    } catch (error) {
      if (!isRinglightError(error, "RL_NOT_FOUND")) throw error;
      throw new RinglightError("RL_NOT_FOUND", `there is no manifest at ${spec.manifestPath}`, { cause: error });
    }
    rest += decoder.decode();
  }
  if (rest !== "") yield { text: rest, version };
}

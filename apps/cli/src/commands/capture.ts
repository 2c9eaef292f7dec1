/** `ringlight capture start | stop | status`. */
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Captures } from "@ringlight/client";
import { formatBytes, parseBytes, parseDuration } from "@ringlight/core";
import { withClient } from "../connection.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

/** Options of capture start. */
export interface StartCaptureOptions extends CommonOptions {
  readonly hashPaths?: boolean;
  readonly maxBytes?: string;
  readonly maxDuration?: string;
}

/** Options of capture stop. */
export interface StopCaptureOptions extends CommonOptions {
  readonly out?: string;
}

/** Begins to record. */
export async function captureStart(options: StartCaptureOptions): Promise<void> {
  const started = await withClient(options, (client) =>
    client.startCapture({
      hashPaths: options.hashPaths,
      ...(options.maxBytes !== undefined && { maxBytes: parseBytes(options.maxBytes) }),
      ...(options.maxDuration !== undefined && { maxDurationMs: parseDuration(options.maxDuration) }),
    }),
  );
  show(options, started);
}

/** Ends the recording, and fetches the files where that is asked for. */
export async function captureStop(options: StopCaptureOptions): Promise<void> {
  await withClient(options, async (client) => {
    const stopped = await client.stopCapture();
    const files: { worker: string; file: string; bytes: number }[] = [];
    if (options.out !== undefined) {
      mkdirSync(options.out, { recursive: true });
      for (const { workerId, file } of stopped.states.filter((state) => state.file !== "")) {
        const target = join(options.out, file.slice(file.lastIndexOf("/") + 1));
        const sink = createWriteStream(target, { mode: 0o600 });
        await pipeline(client.readCapture(workerId), sink);
        files.push({ worker: workerId, file: target, bytes: sink.bytesWritten });
      }
    }
    show(options, stopped, options.out === undefined ? undefined : files);
  });
}

/** Shows the recordings. */
export async function captureStatus(options: CommonOptions): Promise<void> {
  show(options, await withClient(options, (client) => client.captures()));
}

function show(
  options: CommonOptions,
  { states, answered, workers }: Captures,
  files?: readonly { readonly worker: string; readonly file: string; readonly bytes: number }[],
): void {
  const captures = states.map(({ workerId, running, file, startedUnixMs, requests, dropped, bytes, ended }) => ({
    worker: workerId,
    running,
    file,
    startedMs: startedUnixMs,
    requests,
    dropped,
    bytes,
    ended,
  }));
  print(options.json, { captures, answered, total: workers, ...(files && { files }) }, () => {
    const lines = captures.map(({ worker, running, file, requests, dropped, bytes, ended }) => {
      if (file === "") return `${worker}  nothing was captured since it started`;
      const lost = dropped > 0 ? `, ${dropped} not recorded for want of memory` : "";
      const state = running ? "recording" : `ended (${ended})`;
      return `${worker}  ${state}: ${requests} requests, ${formatBytes(bytes)}${lost}, ${file}`;
    });
    for (const { file, bytes } of files ?? []) lines.push(`fetched ${file}, ${formatBytes(bytes)}`);
    return lines.join("\n");
  });
  answeredNote({ answered, workers });
}

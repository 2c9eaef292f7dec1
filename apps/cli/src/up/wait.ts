/** Waiting for processes to be ready, with a deadline, and not for one that has ended. */
import { get } from "node:http";
import { connect } from "node:net";
import { formatDuration, RinglightError, systemClock } from "@ringlight/core";
import { type Child, describeEnding } from "./child-process.ts";

const POLL_MS = 100;
const TRY_MS = 2_000;

/** True when something accepts connections there. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: TRY_MS });
    const done = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once("connect", () => done(true));
    socket.once("timeout", () => done(false));
    socket.once("error", () => done(false));
  });
}

/** True when the URL answers 200. */
export function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: TRY_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}

/** What a worker says of itself and of the cluster. */
export interface Known {
  readonly members: number;
  readonly workers: number;
  readonly mounts: number;
  /** How page bytes leave on its S3 port, in words. */
  readonly dataPath: string;
}

/** What a worker's /readyz says that it knows of the cluster; undefined while it is not ready. */
export async function knownTo(readyz: string): Promise<Known | undefined> {
  try {
    const response = await fetch(readyz, { signal: AbortSignal.timeout(TRY_MS) });
    return response.ok ? ((await response.json()) as Known) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Polls until `ready` says so.
 * @throws RL_INTERNAL when the process ends first or the time runs out, with the last words of its log; the signal's reason.
 */
export async function waitUntil(
  child: Child,
  ready: () => Promise<boolean>,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly logFile: string },
): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal.throwIfAborted();
    if (await ready()) return;
    if (child.ending)
      throw failed(child, `ended (${describeEnding(child.ending)}) before it was ready`, options.logFile);
    if (Date.now() > deadline)
      throw failed(child, `was not ready within ${formatDuration(options.timeoutMs)}`, options.logFile);
    await systemClock.sleep(POLL_MS, options.signal);
  }
}

function failed(child: Child, what: string, logFile: string): RinglightError {
  const words = child.lastWords();
  // A process that names a code of the table in its last words is quoted by that code's own remedy.
  return new RinglightError("RL_INTERNAL", `${child.name} ${what}${words ? `: ${words}` : ""}; its log is ${logFile}`);
}

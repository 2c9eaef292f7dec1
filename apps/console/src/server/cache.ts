/** What the cluster has cached and what more or less room would do: all workers' answers, added up. */
import { type Contents, type MissRatioCurve, mergedContents, missRatioCurve } from "@ringlight/client";
import { RinglightError } from "@ringlight/core";
import { callUnary } from "@ringlight/rpc";
import { askAll } from "./any-worker.ts";
import type { ClusterObserver } from "./cluster-observer.ts";

/** A worker with many pages looks through all of them. */
const CONTENTS_DEADLINE_MS = 15_000;
const REUSE_DEADLINE_MS = 5_000;

/** The miss-ratio curve of the cluster. @throws RL_NO_WORKERS */
export async function cacheReuse(observer: ClusterObserver, signal: AbortSignal): Promise<MissRatioCurve> {
  const { answers, asked } = await askAll(observer, (client) =>
    callUnary(client, "getReuse", {}, { deadlineMs: REUSE_DEADLINE_MS, signal, idempotent: true }),
  );
  return missRatioCurve(
    answers.map(({ value }) => value),
    { answered: answers.length, workers: asked },
  );
}

/** What is cached below a prefix. @throws RL_NO_WORKERS, RL_BAD_REQUEST */
export async function cacheContents(
  observer: ClusterObserver,
  prefix: string,
  depth: number,
  signal: AbortSignal,
): Promise<Contents> {
  const { answers, asked } = await askAll(observer, (client) =>
    callUnary(client, "getContents", { prefix, depth }, { deadlineMs: CONTENTS_DEADLINE_MS, signal, idempotent: true }),
  );
  return mergedContents(
    answers.map(({ value }) => value),
    { answered: answers.length, workers: asked },
  );
}

/** What one worker holds, and what it is asked for the most. @throws RL_NOT_FOUND, and what the worker answers */
export async function workerContents(observer: ClusterObserver, id: string, signal: AbortSignal): Promise<Contents> {
  const worker = observer.clients().find((candidate) => candidate.id === id);
  if (!worker) throw new RinglightError("RL_NOT_FOUND", `no worker ${id} holds a lease`);
  const report = await callUnary(
    worker.client,
    "getContents",
    { prefix: "/", depth: 1 },
    { deadlineMs: CONTENTS_DEADLINE_MS, signal, idempotent: true },
  );
  return mergedContents([report], { answered: 1, workers: 1 });
}

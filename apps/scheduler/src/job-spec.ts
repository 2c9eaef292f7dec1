/** What may be asked of a job: the edge at which a request becomes a specification. */
import { createHash } from "node:crypto";
import { type ClusterView, globMatcher, globPrefix, isGlob, parsePath, RinglightError } from "@ringlight/core";
import type { JobSpec as SpecMessage } from "@ringlight/proto";
import { JOB_KINDS, type JobKind, type JobSpec } from "@ringlight/registry";
import { nextTime } from "./cron.ts";

import { checkTarget } from "./job-target.ts";

const MAX_PATHS = 1_000;
const MAX_COLUMNS = 1_000;
const MAX_REPLICAS = 3;
const MAX_CONCURRENCY = 256;
const MAX_PRIORITY = 9;
/** Below this a page takes longer than anybody waits. */
const MIN_BYTES_PER_SECOND = 64 * 1024;

/** Largest manifest that can be sent with a job, bytes. */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;

/** A specification with nothing in it but the kind. */
export function emptySpec(kind: JobKind): JobSpec {
  return {
    kind,
    paths: [],
    manifestPath: "",
    manifestHash: "",
    replicas: 0,
    bytesPerSecond: 0,
    concurrency: 0,
    verify: false,
    skipCached: false,
    metadataOnly: false,
    dryRun: false,
    failOnPartial: false,
    priority: 0,
    target: "",
    overwrite: false,
    columns: [],
    schedule: "",
    fromEpochs: [],
    toEpoch: 0,
  };
}

const bad = (message: string) => new RinglightError("RL_BAD_REQUEST", message);

/** Checks a request. @throws RL_BAD_REQUEST naming the field, RL_NO_SUCH_MOUNT */
export function specFromMessage(message: SpecMessage, manifest: Uint8Array, view: ClusterView): JobSpec {
  const kind = JOB_KINDS.find((known) => known === message.kind);
  if (kind === undefined) throw bad(`"${message.kind}" is not a kind of job; there are ${JOB_KINDS.join(", ")}`);
  if (kind === "rebalance") throw bad("the scheduler submits rebalance itself, after the ring has changed");
  const sources = [message.paths.length > 0, message.manifestPath !== "", manifest.length > 0];
  if (sources.filter(Boolean).length !== 1) throw bad("name either paths or one manifest");
  if (message.paths.length > MAX_PATHS)
    throw bad(`${message.paths.length} paths; at most ${MAX_PATHS}: use a manifest`);
  if (manifest.length > MAX_MANIFEST_BYTES) {
    throw bad(`the manifest has ${manifest.length} bytes; at most ${MAX_MANIFEST_BYTES}: put it into a mounted store`);
  }
  for (const path of message.manifestPath === "" ? message.paths : [message.manifestPath]) {
    const { mount, key } = parsePath(path);
    if (!view.mounts.has(mount)) throw new RinglightError("RL_NO_SUCH_MOUNT", `no mount is named "${mount}"`);
    if (isGlob(key)) globMatcher(key);
  }
  if (kind === "copy" || kind === "move") checkTarget(kind, message.target, message.paths, view);
  else if (message.target !== "" || message.overwrite)
    throw bad(`a target and overwrite are for copy and move, not for ${kind}`);
  if (message.schedule !== "") {
    nextTime(message.schedule, 0);
    if (message.dryRun) throw bad("a dry run has no schedule");
  }
  if (message.columns.length > 0) {
    if (kind !== "load") throw bad(`columns are for load, not for ${kind}`);
    if (message.metadataOnly) throw bad("columns do not go with metadata only");
    if (message.columns.length > MAX_COLUMNS) throw bad(`${message.columns.length} columns; at most ${MAX_COLUMNS}`);
  }
  const number = (name: "replicas" | "concurrency" | "priority", most: number) => {
    const value = message[name];
    if (!Number.isInteger(value) || value < 0 || value > most)
      throw bad(`${name} is ${value}; 0 to ${most} are possible`);
    return value;
  };
  const { bytesPerSecond } = message;
  if (bytesPerSecond !== 0 && bytesPerSecond < MIN_BYTES_PER_SECOND) {
    throw bad(`the bandwidth is ${bytesPerSecond} bytes a second; at least ${MIN_BYTES_PER_SECOND}, or 0 for no bound`);
  }
  const onlyLoad = ["verify", "skipCached", "metadataOnly", "dryRun"] as const;
  const odd =
    kind === "load"
      ? undefined
      : onlyLoad.find((name) => message[name] && !(name === "verify" && message.target !== ""));
  if (odd !== undefined) throw bad(`${odd} is for load, not for ${kind}`);
  if (kind !== "load" && message.replicas > 0) throw bad(`replicas is for load, not for ${kind}`);
  if (message.metadataOnly && (message.verify || message.replicas > 0)) {
    throw bad("metadata only leaves nothing to verify and nothing to copy");
  }
  return {
    ...emptySpec(kind),
    paths: distinct(message.paths),
    manifestPath: message.manifestPath,
    manifestHash: manifest.length === 0 ? "" : createHash("sha256").update(manifest).digest("hex"),
    replicas: number("replicas", MAX_REPLICAS),
    bytesPerSecond,
    concurrency: number("concurrency", MAX_CONCURRENCY),
    verify: message.verify,
    skipCached: message.skipCached,
    metadataOnly: message.metadataOnly,
    dryRun: message.dryRun,
    failOnPartial: message.failOnPartial,
    priority: number("priority", MAX_PRIORITY),
    columns: [...new Set(message.columns)].sort(),
    target: message.target,
    schedule: message.schedule.trim(),
    overwrite: message.overwrite,
  };
}

/** Leaves out paths that another one covers: their objects would be counted twice. */
function distinct(paths: readonly string[]): string[] {
  const trees = paths.filter((path) => !isGlob(path) && covers(path));
  return [...new Set(paths)].filter((path) => {
    const literal = isGlob(path) ? globPrefix(path) : path;
    return !trees.some((tree) => tree !== path && literal.startsWith(tree.endsWith("/") ? tree : `${tree}/`));
  });
}

/** A plain path without escapes: what lies below it begins with it. */
function covers(path: string): boolean {
  return !path.includes("\\");
}

/** The same for the same work: priority is left out. */
export function specHash({ priority: _, ...spec }: JobSpec): string {
  return createHash("sha256").update(JSON.stringify(spec)).digest("hex").slice(0, 32);
}

/** A specification as a message. */
export function specToMessage({ manifestHash: _, ...spec }: JobSpec): SpecMessage {
  return { ...spec, paths: [...spec.paths], columns: [...spec.columns], fromEpochs: [...spec.fromEpochs] };
}

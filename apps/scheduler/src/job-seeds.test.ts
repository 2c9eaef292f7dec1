/**
 * Loads under seeded chaos: the leader or a worker is killed, the registry is cut off, the store fails, stalls, cuts bodies and
 * changes objects. At the end the job's statement is compared with an audit of its own: which pages the owner of each segment
 * holds, by the ring and the store's listing, and not by what the scheduler remembers.
 *
 * CHAOS_SEEDS sets how many seeds are run (2; the full run is 20), CHAOS_FIRST the first of them (1).
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { segmentKey, type WorkerRecord } from "@ringlight/core";
import { type Job, WorkerServiceClient } from "@ringlight/proto";
import { buildRing } from "@ringlight/ring";
import { ClientPool, callUnary } from "@ringlight/rpc";
import { waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
const SEGMENT = MIB;
const FLAGS = ["--page-size=64KiB", "--segment-size=1MiB", "--mem=1GiB", "--ssd=0", "--ufs-timeout=1s"];
const SEEDS = Number(process.env.CHAOS_SEEDS ?? 2);
const FIRST = Number(process.env.CHAOS_FIRST ?? 1);
const OBJECTS = 160;
const WORKERS = ["worker-0", "worker-1", "worker-2"];
const SCHEDULERS = ["scheduler-0", "scheduler-1"];
const LONG_CUT_MS = 20_000;

const clients = new ClientPool(WorkerServiceClient);
let cluster: JobCluster;

before(async () => {
  // Leases that a busy machine does not lose by itself: who owns what at the end is then known to the audit, too.
  const leaseTtl = "6s";
  cluster = await startJobCluster({
    workers: WORKERS.length,
    schedulers: SCHEDULERS.length,
    workerFlags: FLAGS,
    leaseTtl,
  });
  await cluster.mount("data");
});
after(async () => {
  clients.close();
  await cluster?.close();
});

/** Mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Disruption = "leader" | "worker" | "cut" | "long cut" | "none";

/** Every kind comes in any five seeds in a row. */
const DISRUPTIONS: readonly Disruption[] = ["leader", "worker", "long cut", "none", "cut"];

/** Versions that each object has had, the first one before the load. */
const versions = new Map<string, { readonly version: string; readonly sizeBytes: number }>();

/**
 * What the living owners of the segments hold of each object: of the version that the store has now, or, where they hold
 * nothing of that, of the one before. An object that changes once its bytes have been sent was loaded as what it was.
 */
async function heldByOwners(
  keys: readonly string[],
  alive: readonly WorkerRecord[],
): Promise<Map<string, { held: number; sizeBytes: number }>> {
  const { members, epoch } = cluster.view;
  const ring = buildRing(members, { epoch });
  const found = new Map<string, { held: number; sizeBytes: number }>();
  const before = keys.map((key) => ({ key, ...versions.get(key) }));
  const now = keys.map((key) => {
    const { etag, sizeBytes } = cluster.origin.object("data", key) ?? {};
    return { key, version: etag, sizeBytes };
  });
  for (const { key, version = "", sizeBytes = 0 } of [...now, ...before]) {
    const known = found.get(key);
    if (known !== undefined && (known.held > 0 || known.sizeBytes === 0)) continue;
    const path = `/data/${key}`;
    let held = 0;
    for (const worker of alive) {
      const asked = { objects: [{ path, version, sizeBytes }] };
      const { objects } = await callUnary(clients.get(worker.addresses.grpc), "coverage", asked);
      for (const { first, last } of objects[0]?.cached ?? []) {
        for (let page = first; page <= last; page++) {
          const place = segmentKey("data", key, Math.floor((page * PAGE) / SEGMENT));
          const owner = ring.owners(place, members.length).find((id) => alive.some((other) => other.id === id));
          if (owner === worker.id) held += Math.min(PAGE, sizeBytes - page * PAGE);
        }
      }
    }
    if (known === undefined || held > 0) found.set(key, { held, sizeBytes });
  }
  return found;
}

/** Workers that hold their lease at this moment: the owners that a job which ends now speaks of. */
function living(): WorkerRecord[] {
  const { workers } = cluster.view;
  return [...workers.values()].filter(({ id }) => cluster.processes.get(id)?.exit === undefined);
}

/**
 * The owners that a job which has just ended may speak of. After a cut leases have lapsed that the leader, which was cut off too,
 * still counts, and each worker takes its own again in its own time: then all that run are meant, or those that were back.
 */
async function ownersAtEnd(): Promise<readonly (readonly WorkerRecord[])[]> {
  const now = living();
  const running = WORKERS.filter((id) => cluster.processes.get(id)?.exit === undefined);
  if (running.every((id) => now.some((worker) => worker.id === id))) return [now];
  await waitFor(() => running.every((id) => cluster.view.workers.has(id)), { timeoutMs: 60_000, what: "all leases" });
  return [now, living()];
}

/** The audit by one of these sets of owners agrees with the statement as a whole. */
async function compareAny(
  job: Job,
  keys: readonly string[],
  sets: readonly (readonly WorkerRecord[])[],
  seed: number,
): Promise<ReadonlySet<string>> {
  for (const owners of sets.slice(0, -1)) {
    const missing = await compare(job, keys, owners, seed).catch(() => undefined);
    if (missing !== undefined) return missing;
  }
  return compare(job, keys, sets.at(-1) ?? [], seed);
}

async function disrupt(kind: Disruption): Promise<string | undefined> {
  switch (kind) {
    case "leader": {
      const { leader = "" } = cluster.view;
      cluster.processes.get(leader)?.signal("SIGKILL");
      return leader;
    }
    case "worker":
      cluster.processes.get("worker-1")?.signal("SIGKILL");
      return "worker-1";
    case "long cut":
    case "cut": {
      await cluster.wire.refuse();
      const sinceMs = performance.now();
      const isOver = () => performance.now() - sinceMs >= (kind === "cut" ? 1_500 : LONG_CUT_MS);
      await waitFor(isOver, { timeoutMs: 2 * LONG_CUT_MS, intervalMs: 100 });
      await cluster.wire.restore();
      return undefined;
    }
    default:
      return undefined;
  }
}

/** Brings back what was killed, and waits until the cluster is whole. */
async function heal(killed: string | undefined): Promise<void> {
  cluster.origin.clearFaults();
  if (killed !== undefined) {
    const exited = cluster.processes.get(killed);
    await waitFor(() => exited?.exit !== undefined, { timeoutMs: 10_000 });
    await waitFor(() => !cluster.view.workers.has(killed) && !cluster.view.schedulers.has(killed), {
      timeoutMs: 20_000,
    });
    if (killed.startsWith("worker")) await cluster.startWorker(killed);
    else await cluster.startScheduler(killed);
  }
  await waitFor(() => cluster.view.workers.size === WORKERS.length && cluster.view.leader !== undefined, {
    timeoutMs: 180_000,
    what: "a whole cluster",
  });
}

/** The statement against the audit: byte for byte, and object for object. */
async function compare(
  job: Job,
  keys: readonly string[],
  alive: readonly WorkerRecord[],
  seed: number,
): Promise<ReadonlySet<string>> {
  const failed = await cluster.failed(job.id);
  const missing = new Set(failed.map(({ path }) => path.slice("/data/".length)));
  const words = `seed ${seed}: ${JSON.stringify(job)}`;
  assert.equal(job.listed?.objects, keys.length, words);
  assert.equal((job.loaded?.objects ?? 0) + (job.cached?.objects ?? 0) + missing.size, keys.length, words);
  assert.equal((job.failed?.objects ?? 0) + (job.refused?.objects ?? 0), missing.size, words);
  for (const { code, message } of failed) assert.ok(/^RL_[A-Z_]+$/.test(code) && message !== "", words);
  const audit = await heldByOwners(keys, alive);
  let held = 0;
  for (const [key, sum] of audit) {
    held += sum.held;
    if (!missing.has(key)) assert.equal(sum.held, sum.sizeBytes, `${key} is said to be cached; ${words}`);
  }
  assert.equal(held, (job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0), words);
  return missing;
}

for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  const disruption = DISRUPTIONS[(seed - 1) % DISRUPTIONS.length] ?? "none";
  test(`seed ${seed}: what a load says is what an audit finds, whatever happens to the cluster (${disruption})`, async () => {
    const next = random(seed);
    const prefix = `seed-${seed}/`;
    const keys = Array.from({ length: OBJECTS }, (_, index) => {
      const key = `${prefix}${String(index).padStart(4, "0")}`;
      const sizeBytes = next() < 0.03 ? 2 * MIB + index : Math.floor(next() * 2 * PAGE);
      const { etag } = cluster.origin.putObject("data", key, { sizeBytes, seed: seed * 1_000 + index });
      versions.set(key, { version: etag, sizeBytes });
      return key;
    });
    const gets = { op: "GetObject" as const, key: new RegExp(`^${prefix}`) };
    if (next() < 0.7) cluster.origin.fail(gets, { status: 500, every: 20 });
    if (next() < 0.5) cluster.origin.truncate(gets, 1_000, { every: 17 });
    if (next() < 0.4) cluster.origin.stall(gets, 1_500, { every: 61 });
    if (next() < 0.5) cluster.origin.latency(Math.floor(next() * 30));
    // Some that no repetition helps: they must be listed, with the reason.
    const doomed = next() < 0.6 ? keys.filter(() => next() < 0.04) : [];
    for (const key of doomed) cluster.origin.fail({ op: "GetObject", key }, { status: 503 });
    for (const key of keys.filter(() => next() < 0.03)) {
      const data = { sizeBytes: Math.floor(next() * 3 * PAGE) + 1, seed: seed * 1_000 + 999 };
      cluster.origin.changeDuring({ op: "GetObject", key }, 500, data, { cut: next() < 0.5 });
    }
    const { id } = await cluster.submit({ paths: [`/data/${prefix}`], bytesPerSecond: 8 * MIB });
    const at = 5 + Math.floor(next() * (OBJECTS / 2));
    await cluster.until(
      id,
      ({ state, listed, loaded }) => {
        const done = loaded?.objects ?? 0;
        return done >= at || (listed?.objects === OBJECTS && done > 0) || !["queued", "running"].includes(state);
      },
      120_000,
    );
    const killed = await disrupt(disruption);
    const job = await cluster.end(id, 180_000);
    const owners = await ownersAtEnd();
    cluster.origin.clearFaults();
    const missing = await compareAny(job, keys, owners, seed);
    assert.equal(job.state, missing.size === 0 ? "complete" : "partial", job.reason);
    for (const key of doomed) assert.ok(missing.has(key), `${key} is listed as failed; seed ${seed}`);
    await heal(killed);
    if (missing.size === 0) return;
    const again = await cluster.end((await cluster.retry(id)).id, 120_000);
    assert.equal(again.listed?.objects, missing.size, "just those that failed");
    const left = await compare(again, [...missing], living(), seed);
    assert.deepEqual([again.state, left.size], ["complete", 0], again.reason);
  });
}

/** The engine over a store of records in memory and without workers: what it writes, when, and who may. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { type Clock, type ClusterView, RinglightError, systemClock } from "@ringlight/core";
import type { ListResponse } from "@ringlight/proto";
import type { JobRecord, JobSpec, JobStore, StoredJob } from "@ringlight/registry";
import { waitFor } from "@ringlight/testing";
import { JobEngine } from "./job-engine.ts";
import type { Placement } from "./job-placement.ts";
import { emptySpec } from "./job-spec.ts";
import type { WorkerCalls } from "./worker-calls.ts";

const dataDir = mkdtempSync(join(tmpdir(), "ringlight-engine-"));
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});
after(() => rmSync(dataDir, { recursive: true, force: true }));

/** Job records in memory, with etcd's conditions. */
class MemoryStore implements JobStore {
  readonly jobs = new Map<string, StoredJob>();
  readonly pieces = new Map<string, string>();
  readonly writes: JobRecord[] = [];
  away = false;
  #revision = 0;

  async list() {
    this.#check();
    return [...this.jobs.values()];
  }
  async get(id: string) {
    this.#check();
    return this.jobs.get(id);
  }
  async create(record: JobRecord) {
    this.#check();
    if (this.jobs.has(record.id)) throw new RinglightError("RL_CONFLICT", "there is one");
    return this.#put(record);
  }
  async update(record: JobRecord, revision: number) {
    this.#check();
    if (this.jobs.get(record.id)?.revision !== revision) throw new RinglightError("RL_CONFLICT", "it changed");
    return this.#put(record);
  }
  async remove(id: string) {
    this.#check();
    this.jobs.delete(id);
  }
  async putPiece(id: string, kind: string, index: number, text: string) {
    this.#check();
    this.pieces.set(`${id}/${kind}/${index}`, text);
  }
  async piece(id: string, kind: string, index: number) {
    return this.pieces.get(`${id}/${kind}/${index}`);
  }
  async removePieces() {}
  close() {}

  #check() {
    if (this.away) throw new RinglightError("RL_REGISTRY_UNAVAILABLE", "away");
  }
  #put(record: JobRecord) {
    const copy = JSON.parse(JSON.stringify(record)) as JobRecord;
    this.writes.push(copy);
    this.jobs.set(record.id, { record: copy, revision: ++this.#revision });
    return this.#revision;
  }
}

const view: ClusterView = {
  cluster: "c",
  epoch: 1,
  members: [],
  workers: new Map(),
  mounts: new Map(),
  policies: [],
  schedulers: new Map(),
  leader: undefined,
  connected: true,
  asOfMs: 1,
};

const placement = {
  stamp: "1",
  view,
  alive: () => [],
  worker: () => undefined,
  owners: () => [],
  onChange: () => () => undefined,
} as unknown as Placement;

/** Workers that list nothing: a sync of nothing ends at once. `held` jobs wait in their listing. */
function callsOf(held: (path: string) => boolean): WorkerCalls {
  const empty: ListResponse = { objects: [], commonPrefixes: [], truncated: false, nextStartAfter: "" };
  return {
    segmentBytes: async () => 1024,
    list: async (path: string, _after: string, signal: AbortSignal) => {
      signal.throwIfAborted();
      if (!held(path)) return empty;
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
      return aborted.promise;
    },
  } as unknown as WorkerCalls;
}

function engineOf(store: JobStore, id: string, fields: Record<string, unknown> = {}, clock: Clock = systemClock) {
  const engine = new JobEngine({
    schedulerId: id,
    store,
    calls: callsOf((path) => path.includes("held")),
    placement,
    clock,
    dataDir,
    maxRunning: 2,
    keepJobs: 10,
    keepMs: 1e9,
    ringsOf: async () => [],
    log: () => undefined,
    ...fields,
  });
  const end = new AbortController();
  const led = engine.lead(end.signal);
  const stop = async () => {
    end.abort();
    await led;
  };
  stops.push(stop);
  return { engine, stop };
}

function specOf(path: string, fields: Partial<JobSpec> = {}): JobSpec {
  return { ...emptySpec("sync"), paths: [path], ...fields };
}

const stateOf = (store: MemoryStore, id: string) => store.jobs.get(id)?.record.state;

test("a leader resumes the running jobs of its predecessor, and a leader of the past cannot write any more", async () => {
  const store = new MemoryStore();
  const first = engineOf(store, "first");
  await waitFor(() => first.engine.leading);
  const { job } = await first.engine.submit(specOf("/m/held/"), "");
  const { id } = job.record;
  await waitFor(() => stateOf(store, id) === "running");
  const second = engineOf(store, "second");
  await waitFor(() => store.jobs.get(id)?.record.scheduler === "second");
  // The first one, which does not know, tries to write its progress, and learns.
  await waitFor(() => first.engine.get(id).run === undefined, { timeoutMs: 5_000 });
  await first.stop();
  assert.equal(store.jobs.get(id)?.record.scheduler, "second");
  assert.equal(store.jobs.get(id)?.record.takeovers, 1);
  const stopped = await second.engine.control(id, "stop");
  assert.equal(stopped.record.state, "stopped");
  await second.stop();
});

test("a job is run only after it was recorded, and its end is written when the registry is back", async () => {
  const store = new MemoryStore();
  const { engine, stop } = engineOf(store, "s");
  await waitFor(() => engine.leading);
  store.away = true;
  await assert.rejects(engine.submit(specOf("/m/a/"), ""), { code: "RL_REGISTRY_UNAVAILABLE" });
  store.away = false;
  const { job } = await engine.submit(specOf("/m/held/"), "");
  await waitFor(() => stateOf(store, job.record.id) === "running");
  store.away = true;
  const stopping = engine.control(job.record.id, "stop");
  await new Promise(setImmediate);
  assert.equal(stateOf(store, job.record.id), "running");
  store.away = false;
  await stopping;
  assert.equal(stateOf(store, job.record.id), "stopped");
  await stop();
});

test("records that were lost with the registry's data are written again", async () => {
  const store = new MemoryStore();
  const { engine, stop } = engineOf(store, "s");
  await waitFor(() => engine.leading);
  const { job } = await engine.submit(specOf("/m/held/"), "");
  await waitFor(() => stateOf(store, job.record.id) === "running");
  store.jobs.clear();
  await waitFor(() => stateOf(store, job.record.id) === "running", { timeoutMs: 5_000 });
  await stop();
});

test("a thousand queued jobs are taken on quickly, start in order, and cost a few writes each", async () => {
  const store = new MemoryStore();
  const { engine, stop } = engineOf(store, "s", { keepJobs: 2_000 });
  await waitFor(() => engine.leading);
  const holders = [await engine.submit(specOf("/m/held/1"), ""), await engine.submit(specOf("/m/held/2"), "")];
  const startedMs = performance.now();
  const ids: string[] = [];
  for (let index = 0; index < 1_000; index++) {
    ids.push((await engine.submit(specOf(`/m/${index}/`, { priority: index % 3 }), "")).job.record.id);
  }
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 10_000, `${tookMs} ms for 1000 submissions`);
  assert.equal(new Set(ids).size, 1_000);
  for (const { job } of holders) await engine.control(job.record.id, "stop");
  await waitFor(() => ids.every((id) => stateOf(store, id) === "failed"), { timeoutMs: 30_000 });
  const starts = ids.map((id) => store.jobs.get(id)?.record).sort((a, b) => (a?.startedMs ?? 0) - (b?.startedMs ?? 0));
  const firsts = starts.slice(0, 300).map((record) => record?.spec.priority);
  assert.ok(firsts.every((priority) => priority === 2));
  assert.ok(store.writes.length <= 4 * 1_002, `${store.writes.length} writes`);
  await stop();
});

test("jobs that ended are forgotten beyond a number", async () => {
  const store = new MemoryStore();
  const { engine, stop } = engineOf(store, "s", { keepJobs: 5 });
  await waitFor(() => engine.leading);
  for (let index = 0; index < 12; index++) await engine.submit(specOf(`/m/${index}/`), "");
  // A job leaves the store before its list of failures, and the engine's memory last.
  await waitFor(() => store.jobs.size === 5 && engine.list().length === 5, { timeoutMs: 10_000 });
  await stop();
  assert.throws(() => engine.list(), { code: "RL_NO_LEADER" });
});

test("a job with a schedule runs when it is due, and the next one is there when it has ended, until one is stopped", async () => {
  const store = new MemoryStore();
  const { engine, stop } = engineOf(store, "s");
  await waitFor(() => engine.leading);
  const { job } = await engine.submit(specOf("/m/", { schedule: "* * * * *" }), "");
  assert.equal(job.record.state, "queued");
  assert.ok(job.record.dueMs > Date.now() && job.record.dueMs <= Date.now() + 60_000);
  assert.equal(job.record.dueMs % 60_000, 0);
  const again = await engine.submit(specOf("/m/", { schedule: "* * * * *" }), "");
  assert.equal(again.created, false);
  await engine.control(job.record.id, "stop");
  await stop();
  // What another leader finds: one that has ended by itself is followed by the next, one that was stopped is not.
  const stored = store.jobs.get(job.record.id);
  assert.ok(stored);
  store.jobs.set(job.record.id, { ...stored, record: { ...stored.record, state: "complete" } });
  const second = engineOf(store, "t");
  await waitFor(() => second.engine.leading && second.engine.list().length === 2);
  const [next] = second.engine.list();
  assert.deepEqual([next?.record.state, next?.record.spec.schedule], ["queued", "* * * * *"]);
  await second.stop();
});

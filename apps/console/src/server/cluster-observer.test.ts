import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Registry } from "@ringlight/core";
import { connectRegistry, type EmbeddedRegistry, startEmbeddedRegistry } from "@ringlight/registry";
import { FakeWorker } from "../../test/fake-worker.ts";
import { readCrowd } from "../crowd.ts";
import type { ClusterSnapshot, Problem, WorkerState } from "../wire.ts";
import { browse, fileDetail } from "./browse.ts";
import { ClusterObserver, type ObserverEvent } from "./cluster-observer.ts";
import { eventStream } from "./event-stream.ts";

let server: EmbeddedRegistry;
let registry: Registry;
let observer: ClusterObserver;
const workers = ["worker-a", "worker-b", "worker-c"].map((id) => new FakeWorker(id));
const [first, second, third] = workers as [FakeWorker, FakeWorker, FakeWorker];

before(async () => {
  server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  const endpoints = [`127.0.0.1:${server.port}`];
  registry = connectRegistry({ cluster: "test", endpoints, leaseTtlMs: 2000 });
  await registry.ready(5000);
  for (const worker of workers) await worker.start(registry);
  await registry.addMount({
    name: "demo",
    uri: "s3://bucket",
    readOnly: true,
    freshness: { kind: "immutable" },
    replicas: 1,
    credentials: { kind: "default" },
    options: {},
    createdMs: 1,
  });
  observer = new ClusterObserver({ registry, endpoints });
});

after(async () => {
  await observer.close();
  await Promise.all(workers.map((worker) => worker.close()));
  await registry.close();
  await server.close();
});

/** Waits for an event after which the condition holds. */
async function until<T>(condition: () => T | undefined | false, deadlineMs = 10_000): Promise<T> {
  const found = condition();
  if (found) return found;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`not within ${deadlineMs} ms: ${condition}`));
    }, deadlineMs);
    const check = () => {
      const value = condition();
      if (!value) return;
      stop();
      resolve(value);
    };
    const unsubscribe = observer.subscribe(check);
    const poll = setInterval(check, 20);
    const stop = () => {
      clearTimeout(timer);
      clearInterval(poll);
      unsubscribe();
    };
  });
}

const stateOf = (id: string): WorkerState | undefined =>
  observer.snapshot().workers.find((worker) => worker.id === id)?.state;
const problemOf = (kind: string, subject: string): Problem | undefined =>
  observer.snapshot().problems.find((problem) => problem.kind === kind && problem.subject === subject);

test("every worker is live once its statistics flow", async () => {
  await until(() => workers.every((worker) => stateOf(worker.id) === "live"));
  const { members, epoch } = observer.snapshot();
  assert.equal(members.length, 3);
  assert.ok(epoch > 0);
});

test("totals are the exact sums of the workers' counters", async () => {
  first.counters = { gets: 1_000_003, hits: 7 };
  second.counters = { gets: 20, misses: 2 };
  third.counters = { gets: 1 };
  await until(() => observer.tick().totals["ufs.get"] === 1_000_024);
  const { totals } = observer.tick();
  assert.equal(totals["pages.hit.mem"], 7);
  assert.equal(totals["bytes.hit.mem"], 7000);
  assert.equal(totals["pages.miss.cold"], 2);
});

test("of many workers ticks carry the sums alone, and the numbers of each one can be asked for in columns", async () => {
  const crowded = new ClusterObserver({ registry, endpoints: [`127.0.0.1:${server.port}`], crowd: 2 });
  try {
    await until(() => crowded.tick().known === 3 && crowded.tick().totals["ufs.get"] === 1_000_024);
    const { workers: none, crowd, load } = crowded.tick();
    assert.deepEqual([none, crowd, load.fetches], [{}, true, 0]);
    const numbers = readCrowd(crowded.workerNumbers());
    assert.deepEqual([...numbers.ids].sort(), workers.map(({ id }) => id).sort());
    assert.equal(numbers.get(first.id)?.totals["pages.hit.mem"], 7);
    assert.equal(observer.tick().crowd, undefined);
    assert.equal(observer.tick().workers[first.id]?.totals["pages.hit.mem"], 7);
  } finally {
    await crowded.close();
  }
});

test("increases of all workers reach the cluster's series, once each", async () => {
  const sum = () => {
    const series = observer.series(Date.now() - 30_000, Date.now());
    return (series?.columns["api.s3.GetObject"] ?? []).reduce<number>((total, value) => total + (value ?? 0), 0);
  };
  // The first second was seen in part, so that its rate says nothing of its total.
  await until(
    () =>
      (observer.series(Date.now() - 30_000, Date.now())?.columns["ufs.get"] ?? []).filter((value) => value !== null)
        .length >= 2,
  );
  const base = sum();
  for (const worker of workers) worker.counters = { ...worker.counters, requests: 100 };
  await until(() => sum() - base > 299.5);
  assert.ok(Math.abs(sum() - base - 300) < 0.5, `${sum() - base} requests of 300`);
  const own = observer.series(Date.now() - 30_000, Date.now(), first.id)?.columns["api.s3.GetObject"] ?? [];
  assert.ok(Math.abs(own.reduce<number>((total, value) => total + (value ?? 0), 0) - 100) < 0.5);
  assert.equal(observer.series(Date.now() - 30_000, Date.now(), "nobody"), undefined);
});

test("a mount is reached by all workers, or by some, which is a problem with a remedy", async () => {
  await until(() => observer.snapshot().mounts[0]?.checks.length === 3);
  assert.equal(problemOf("mount_failing", "demo"), undefined);
  second.mountOk = false;
  await observer.checkMounts();
  const problem = await until(() => problemOf("mount_failing", "demo"));
  assert.match(problem.cause, /1 of 3 workers cannot reach s3:\/\/bucket: the store refused/);
  assert.match(problem.remedy, /credentials/);
  second.mountOk = true;
  await observer.checkMounts();
  assert.equal(problemOf("mount_failing", "demo"), undefined);
});

test("Browse counts a page that several workers hold once, and asks the store once for many refreshes", async () => {
  const { signal } = new AbortController();
  first.cached = [{ first: 0, last: 1 }];
  second.cached = [{ first: 1, last: 3 }];
  const page = await browse(observer, "/demo/dir", "", false, signal);
  assert.deepEqual(
    page.entries.map(({ kind, name, cachedBytes }) => ({ kind, name, cachedBytes })),
    [
      { kind: "folder", name: "sub", cachedBytes: undefined },
      { kind: "file", name: "file", cachedBytes: 3500 },
    ],
  );
  assert.deepEqual([page.answered, page.asked], [3, 3]);
  second.cached = [];
  const again = await browse(observer, "/demo/dir", "", false, signal);
  assert.equal(again.entries[1]?.cachedBytes, 2000);
  assert.equal(first.lists + second.lists + third.lists, 1);
  await browse(observer, "/demo/dir", "", true, signal);
  assert.equal(first.lists + second.lists + third.lists, 2);
});

test("a file that the store does not have is not found", async () => {
  await assert.rejects(fileDetail(observer, "/demo/none", new AbortController().signal), { code: "RL_NOT_FOUND" });
});

test("a live worker that does not answer is unreachable, with the reason, and live again once it answers", async () => {
  const port = await third.hangUp();
  await until(() => stateOf(third.id) === "unreachable");
  const problem = await until(() => problemOf("worker_unreachable", third.id));
  assert.match(problem.cause, /does not answer|ended/);
  await third.serve(port);
  await until(() => stateOf(third.id) === "live");
});

test("a worker whose lease ends is down at once, and stays a member", async () => {
  const events: ObserverEvent[] = [];
  const unsubscribe = observer.subscribe((event) => events.push(event));
  const leftMs = Date.now();
  await second.leave();
  await until(() => stateOf(second.id) === "down");
  assert.ok(Date.now() - leftMs < 2000, "within two seconds of the end of the lease");
  unsubscribe();
  const pushed = events.findLast((event) => event.type === "cluster");
  assert.equal(pushed?.type, "cluster");
  assert.equal(observer.snapshot().members.length, 3);
  assert.equal(problemOf("worker_down", second.id)?.severity, "critical");
  assert.equal(observer.tick().totals["ufs.get"], 1_000_024, "its last counters stay in the sum");
  const page = await browse(observer, "/demo/dir", "", false, new AbortController().signal);
  assert.deepEqual([page.answered, page.asked], [2, 3]);
});

test("a page gets a snapshot and a tick at once, ticks from then on, and leaves nothing behind", async () => {
  const leaving = new AbortController();
  const reader = eventStream(observer, leaving.signal).getReader();
  let text = "";
  const decoder = new TextDecoder();
  while (text.split("event: tick").length < 4) {
    const { value, done } = await reader.read();
    assert.ok(!done);
    text += decoder.decode(value, { stream: true });
  }
  const data = /event: cluster\ndata: (.*)\n/.exec(text)?.[1] ?? "";
  assert.equal((JSON.parse(data) as ClusterSnapshot).cluster, "test");
  leaving.abort();
  for (let ended = false; !ended; ) ended = (await reader.read()).done;
});

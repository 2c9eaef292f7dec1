import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { ClusterSnapshot } from "../wire.ts";
import { diffJobs, diffSnapshots, type NewEvent } from "./event-diff.ts";
import { EventLog } from "./event-log.ts";

const SNAPSHOT: ClusterSnapshot = {
  cluster: "c",
  epoch: 3,
  members: [
    { id: "a", weight: 1, joinedMs: 1 },
    { id: "b", weight: 1, joinedMs: 2 },
  ],
  workers: [
    { id: "a", state: "live", sinceMs: 0, weight: 1, joinedMs: 1 },
    { id: "b", state: "live", sinceMs: 0, weight: 1, joinedMs: 2 },
  ],
  mounts: [],
  policies: [],
  schedulers: [],
  leader: "s1",
  registry: { connected: true, endpoints: ["r:1"], asOfMs: 1 },
  problems: [],
  atMs: 1,
};
const words = (after: Partial<ClusterSnapshot>) =>
  diffSnapshots(SNAPSHOT, { ...SNAPSHOT, ...after }).map((event) => `${event.kind} ${event.tone}: ${event.text}`);

test("nothing happened, nothing is told", () => {
  assert.deepEqual(words({ atMs: 99 }), []);
});

test("a worker that dies, its problem, and its leaving the ring are events of their own", () => {
  const dead = SNAPSHOT.workers.map((worker) => (worker.id === "b" ? { ...worker, state: "down" as const } : worker));
  assert.deepEqual(words({ workers: dead }), ["worker bad: b is down: its lease ran out"]);
  assert.deepEqual(words({ epoch: 4, members: [SNAPSHOT.members[0]!], workers: [SNAPSHOT.workers[0]!] }), [
    "epoch bad: Epoch 4 of the ring: b left",
  ]);
  const problem = {
    kind: "worker_down" as const,
    severity: "critical" as const,
    subject: "b",
    title: "Worker b is down",
    cause: "",
    remedy: "",
  };
  assert.deepEqual(words({ problems: [problem] }), ["problem bad: Worker b is down"]);
  assert.deepEqual(
    diffSnapshots({ ...SNAPSHOT, problems: [problem] }, SNAPSHOT).map(({ text, tone }) => [text, tone]),
    [["Over: Worker b is down", "good"]],
  );
});

test("members, weights, leaders, the registry and mounts are told in words", () => {
  const members = [{ ...SNAPSHOT.members[0]!, weight: 2 }, SNAPSHOT.members[1]!, { id: "c", weight: 1, joinedMs: 3 }];
  assert.deepEqual(words({ epoch: 5, members }), ["epoch plain: Epoch 5 of the ring: c joined; a weighs 2"]);
  assert.deepEqual(words({ leader: "s2" }), ["election plain: Scheduler s2 leads"]);
  assert.deepEqual(words({ registry: { ...SNAPSHOT.registry, connected: false } }), [
    "registry bad: The registry does not answer",
  ]);
});

test("jobs are told when they come and when they move on, not those that were there before", () => {
  const job = { id: "j1", kind: "load", paths: ["/a"], state: "queued", reason: "" };
  assert.deepEqual(diffJobs(undefined, [job]), []);
  assert.equal(diffJobs(new Map(), [job])[0]?.text, "Job load of /a was submitted");
  assert.deepEqual(diffJobs(new Map([["j1", "queued"]]), [job]), []);
  const failed = diffJobs(new Map([["j1", "running"]]), [{ ...job, state: "failed", reason: "the store is gone" }]);
  assert.deepEqual([failed[0]?.text, failed[0]?.tone], ["Job load of /a is failed: the store is gone", "bad"]);
});

test("events outlive the process, half a line is left out, and the file stays bounded", () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-events-"));
  try {
    const file = join(directory, "deep", "events.jsonl");
    const event = (text: string): NewEvent => ({ kind: "mount", subject: "/m", text, tone: "plain" });
    const log = new EventLog(file, { kept: 10 });
    for (let number = 1; number <= 25; number++) log.add([event(`event ${number}`)], number);
    assert.equal(log.list({ limit: 3 }).events[0]?.text, "event 25");
    assert.equal(log.list({ limit: 3 }).more, true);
    assert.equal(log.list().events.length, 10);
    assert.ok(readFileSync(file, "utf8").split("\n").length <= 21);
    appendFileSync(file, '{"id":99,"atMs":');
    const again = new EventLog(file, { kept: 10 });
    assert.deepEqual(
      again.list().events.map(({ id }) => id),
      [25, 24, 23, 22, 21, 20, 19, 18, 17, 16],
    );
    again.add([event("after")], 30);
    assert.equal(again.list({ fromMs: 30 }).events[0]?.id, 26);
    assert.equal(new EventLog(file, { kept: 10 }).list().events[0]?.text, "after");
    assert.deepEqual(
      again.list({ fromMs: 17, toMs: 19, kinds: ["mount"], text: "EVENT" }).events.map(({ id }) => id),
      [18, 17],
    );
    assert.deepEqual(again.list({ kinds: ["job"] }).events, []);
    assert.deepEqual(
      again.list({ beforeId: 18, limit: 1 }).events.map(({ id }) => id),
      [17],
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

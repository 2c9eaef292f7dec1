import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterView, WorkerRecord } from "@ringlight/core";
import { AbsenceTracker } from "./absence.ts";

function view(members: string[], alive: string[], connected = true): ClusterView {
  return {
    cluster: "test",
    epoch: 1,
    members: members.map((id) => ({ id, weight: 1, joinedMs: 0 })),
    workers: new Map(alive.map((id) => [id, { id } as WorkerRecord])),
    mounts: new Map(),
    policies: [],
    schedulers: new Map(),
    leader: undefined,
    connected,
    asOfMs: 0,
  };
}

test("a member without a lease is absent from the moment it is first seen so", () => {
  const tracker = new AbsenceTracker();
  tracker.observe(view(["a", "b"], ["a", "b"]), 0);
  tracker.observe(view(["a", "b"], ["a"]), 1000);
  tracker.observe(view(["a", "b"], ["a"]), 5000);
  assert.deepEqual(tracker.absent(), [{ id: "b", sinceMs: 1000 }]);
  assert.deepEqual(tracker.overdue(120_999, 120_000), []);
  assert.deepEqual(tracker.overdue(121_000, 120_000), ["b"]);
});

test("a member that comes back is not absent, and starts anew when it leaves again", () => {
  const tracker = new AbsenceTracker();
  tracker.observe(view(["a"], []), 0);
  tracker.observe(view(["a"], ["a"]), 100);
  assert.deepEqual(tracker.absent(), []);
  tracker.observe(view(["a"], []), 200);
  assert.deepEqual(tracker.absent(), [{ id: "a", sinceMs: 200 }]);
});

test("while the registry does not answer no absence grows, and each begins anew afterwards", () => {
  const tracker = new AbsenceTracker();
  tracker.observe(view(["a"], []), 0);
  tracker.observe(view(["a"], [], false), 100_000);
  tracker.observe(view(["a"], []), 130_000);
  assert.deepEqual(tracker.overdue(130_001, 120_000), []);
});

test("a member that was taken out of the ring is no longer absent", () => {
  const tracker = new AbsenceTracker();
  tracker.observe(view(["a"], []), 0);
  tracker.observe(view([], []), 1);
  assert.deepEqual(tracker.absent(), []);
});

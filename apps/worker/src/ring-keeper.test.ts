import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterView, Registry, WorkerRecord } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import { RingKeeper } from "./ring-keeper.ts";

function viewOf(ids: readonly string[]): ClusterView {
  const records = ids.map((id) => [id, { id, weight: 1 } as WorkerRecord] as const);
  const members = ["a", "b"].map((id) => ({ id, weight: 1, joinedMs: 0 }));
  return { epoch: 1, members, workers: new Map(records) } as unknown as ClusterView;
}

/** A registry whose view the test sets. */
function registryOf(view: ClusterView): { registry: Registry; set: (view: ClusterView) => void } {
  let current = view;
  let told: (view: ClusterView) => void = () => undefined;
  const registry = {
    view: () => current,
    onChange: (listener: (view: ClusterView) => void) => {
      told = listener;
      return () => undefined;
    },
  } as unknown as Registry;
  return {
    registry,
    set: (next) => {
      current = next;
      told(next);
    },
  };
}

test("a worker whose lease has lapsed is asked a little longer, and no longer than that", async () => {
  const clock = new FakeClock();
  const { registry, set } = registryOf(viewOf(["a", "b"]));
  const ring = new RingKeeper(registry, clock);
  set(viewOf(["a"]));
  assert.equal(ring.worker("b")?.id, "b");
  await clock.advance(9_999);
  assert.equal(ring.worker("b")?.id, "b");
  await clock.advance(1);
  assert.equal(ring.worker("b"), undefined);
  set(viewOf(["a", "b"]));
  assert.equal(ring.worker("b")?.id, "b");
});

test("a worker that never had a lease here is not known", () => {
  const { registry } = registryOf(viewOf(["a"]));
  assert.equal(new RingKeeper(registry, new FakeClock()).worker("b"), undefined);
});

test("an owner that is new asks the one before it for ten minutes, if that one lives and its ring had stood", async () => {
  const clock = new FakeClock();
  const ring = (epoch: number, ids: readonly string[]) => ({
    ...viewOf(ids),
    epoch,
    members: ids.map((id) => ({ id, weight: 1, joinedMs: clock.now() })),
  });
  const { registry, set } = registryOf(ring(1, ["a"]));
  const keeper = new RingKeeper(registry, clock);
  await clock.advance(1_000);
  set(ring(2, ["a", "b"]));
  const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);
  assert.ok(
    keys.every((key) => keeper.handOverFrom("b", key, 1) === undefined),
    "the first ring stood for a second",
  );
  await clock.advance(6_000);
  set(ring(3, ["a", "b", "c"]));
  const mine = keys.filter((key) => keeper.ring.owners(key, 1)[0] === "c");
  assert.ok(mine.length > 20);
  const holders = new Set(mine.map((key) => keeper.handOverFrom("c", key, 1)));
  assert.deepEqual([...holders].sort(), ["a", "b"]);
  const kept = keys.filter((key) => keeper.ring.owners(key, 1)[0] === "a");
  assert.ok(kept.every((key) => keeper.handOverFrom("a", key, 1) === undefined));
  await clock.advance(10 * 60_000 + 1);
  assert.ok(mine.every((key) => keeper.handOverFrom("c", key, 1) === undefined));
});

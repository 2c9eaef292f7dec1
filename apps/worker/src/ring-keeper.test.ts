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

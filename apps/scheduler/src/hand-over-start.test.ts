/** When a hand-over begins, by a clock that is turned by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterView, EpochRecord, Registry, WorkerRecord } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import { HandOver, type HandOverOptions } from "./hand-over.ts";

const memberOf = (id: string) => ({ id, weight: 1, joinedMs: 0 }) as ClusterView["members"][number];

/** A cluster in which a worker joins at epoch 2; `usedBytes` is what the one before it has. */
function cluster() {
  const clock = new FakeClock();
  const state = { epoch: 1, usedBytes: 0 };
  const epochs = [
    { epoch: 2, atMs: clock.now(), members: [memberOf("a"), memberOf("b")] },
    { epoch: 1, atMs: clock.now() - 3_600_000, members: [memberOf("a")] },
  ] as unknown as EpochRecord[];
  const submitted: number[] = [];
  const view = () =>
    ({
      connected: true,
      epoch: state.epoch,
      members: epochs.find(({ epoch }) => epoch === state.epoch)?.members ?? [],
      mounts: new Map([["data", { name: "data", replicas: 1 }]]),
    }) as unknown as ClusterView;
  const registry = {
    view,
    listEpochs: async () => epochs.filter(({ epoch }) => epoch <= state.epoch),
  } as unknown as Registry;
  const engine = {
    leading: true,
    list: () => [],
    control: async () => undefined,
    submit: async (spec: { readonly toEpoch: number }) => {
      submitted.push(spec.toEpoch);
      return { job: { record: { id: "job" } }, created: true };
    },
  } as unknown as HandOverOptions["engine"];
  const handOver = new HandOver({
    registry,
    engine,
    placement: { alive: () => [{ id: "a" } as WorkerRecord] },
    calls: { tiers: async () => ({ limitBytes: 100, usedBytes: state.usedBytes }) },
    clock,
    bytesPerSecond: 1,
    log: () => undefined,
  });
  return { clock, state, submitted, handOver };
}

test("there is no hand-over of what came after the ring had changed", async () => {
  const { clock, state, submitted, handOver } = cluster();
  const ending = new AbortController();
  const leading = handOver.lead(ending.signal);
  await clock.advance(1_000);
  state.epoch = 2;
  await clock.advance(600);
  state.usedBytes = 50;
  await clock.advance(10_000);
  assert.deepEqual(submitted, []);
  ending.abort();
  await leading;
});

test("what was cached when the ring changed is handed over once the ring has stood for a while", async () => {
  const { clock, state, submitted, handOver } = cluster();
  state.usedBytes = 50;
  const ending = new AbortController();
  const leading = handOver.lead(ending.signal);
  await clock.advance(1_000);
  state.epoch = 2;
  await clock.advance(1_500);
  assert.deepEqual(submitted, []);
  await clock.advance(2_000);
  assert.deepEqual(submitted, [2]);
  await clock.advance(10_000);
  assert.deepEqual(submitted, [2]);
  ending.abort();
  await leading;
});

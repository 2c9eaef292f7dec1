import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Registry } from "@ringlight/core";
import type { EtcdServer } from "@ringlight/testing";
import type { JobRecord } from "./job-records.ts";
import { connectJobStore, type JobStore, MAX_PIECE_CHARS } from "./job-store.ts";
import { connectRegistry } from "./registry.ts";
import { SERVER_KINDS } from "./testing/servers.ts";

const NOTHING = { objects: 0, bytes: 0 };

function sampleJob(id: string, fields: Partial<JobRecord> = {}): JobRecord {
  return {
    id,
    spec: {
      kind: "load",
      paths: ["/data/x"],
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
    },
    specHash: "h",
    state: "queued",
    submittedMs: 1,
    startedMs: 0,
    finishedMs: 0,
    runningMs: 0,
    reasonCode: "",
    reason: "",
    scheduler: "",
    takeovers: 0,
    pass: 0,
    phase: "",
    counters: {
      listed: NOTHING,
      loaded: NOTHING,
      cached: NOTHING,
      refused: NOTHING,
      failed: NOTHING,
      verifiedObjects: 0,
      changedObjects: 0,
    },
    cachedAtFirst: NOTHING,
    listingEnded: false,
    checkpoint: { source: 0, after: "", doneBeyond: "", position: 0 },
    readBytes: 0,
    placement: "",
    evictedBefore: { w: 3 },
    traceparent: "",
    retryOf: "",
    failedListed: 0,
    failedTruncated: false,
    cacheLimitBytes: 0,
    cacheFreeBytes: 0,
    dueMs: 0,
    estimatedMs: -1,
    ...fields,
  };
}

describe("job records", { concurrency: true }, () => {
  for (const kind of SERVER_KINDS) {
    describe(`on ${kind.name}`, { concurrency: 1 }, () => {
      let server: EtcdServer;
      let registry: Registry;
      let store: JobStore;
      before(async () => {
        server = await kind.start();
        registry = connectRegistry({ endpoints: [server.endpoint], cluster: "jobs" });
        await registry.ready(10_000);
        store = connectJobStore({ endpoints: [server.endpoint], cluster: "jobs" });
      });
      after(async () => {
        store.close();
        await registry.close();
        await server.stop();
      });

      it("come back as they were written, however many there are", async () => {
        const ids = Array.from({ length: 250 }, (_, index) => `many-${String(index).padStart(4, "0")}`);
        for (const id of ids) await store.create(sampleJob(id));
        const listed = await store.list();
        assert.deepEqual(
          listed.map(({ record }) => record.id).filter((id) => id.startsWith("many")),
          ids,
        );
        assert.deepEqual(listed[7]?.record, sampleJob("many-0007"));
        for (const id of ids) await store.remove(id);
        assert.deepEqual(await store.list(), []);
      });

      it("are changed only from what the writer has seen last", async () => {
        const first = await store.create(sampleJob("one"));
        await assert.rejects(store.create(sampleJob("one", { priority: 1 } as never)), { code: "RL_CONFLICT" });
        const second = await store.update(sampleJob("one", { state: "running", scheduler: "b" }), first);
        await assert.rejects(store.update(sampleJob("one", { scheduler: "a" }), first), { code: "RL_CONFLICT" });
        assert.deepEqual(await store.get("one"), {
          record: sampleJob("one", { state: "running", scheduler: "b" }),
          revision: second,
        });
        // The same write again, as after an answer that was lost, is no conflict.
        assert.equal(await store.update(sampleJob("one", { state: "running", scheduler: "b" }), first), second);
        await store.remove("one");
        await assert.rejects(store.update(sampleJob("one"), second), { code: "RL_CONFLICT" });
        assert.equal(await store.get("one"), undefined);
      });

      it("have pieces beside them, which go with them", async () => {
        await store.create(sampleJob("p"));
        await store.putPiece("p", "manifest", 0, "a\n".repeat(1000));
        await store.putPiece("p", "manifest", 1, "b");
        await store.putPiece("p", "failed-1", 0, "c");
        assert.equal(await store.piece("p", "manifest", 1), "b");
        await store.removePieces("p", "manifest");
        assert.equal(await store.piece("p", "manifest", 0), undefined);
        assert.equal(await store.piece("p", "failed-1", 0), "c");
        assert.deepEqual(
          (await store.list()).map(({ record }) => record.id),
          ["p"],
        );
        await store.remove("p");
        assert.equal(await store.piece("p", "failed-1", 0), undefined);
        await store.putPiece("p", "x", 0, "y".repeat(MAX_PIECE_CHARS));
        assert.equal((await store.piece("p", "x", 0))?.length, MAX_PIECE_CHARS);
        await store.removePieces("p", "x");
      });

      it("do not show in the view, which everybody follows", async () => {
        let changes = 0;
        const stop = registry.onChange(() => changes++);
        const revision = await store.create(sampleJob("quiet"));
        await store.update(sampleJob("quiet", { state: "paused" }), revision);
        await registry.listEpochs(1);
        stop();
        assert.equal(changes, 0);
        await store.remove("quiet");
      });
    });
  }
});

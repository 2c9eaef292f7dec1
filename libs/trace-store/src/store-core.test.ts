import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { StoreCore } from "./store-core.ts";
import { type TestSpan, testOptions, traceBody } from "./test-records.ts";

const MIB = 1024 * 1024;

/** As a worker sends them: four spans a trace, some 1.5 KB of text. */
function traces(count: number, reason: string): TestSpan[] {
  return Array.from({ length: count }, () => randomBytes(16).toString("hex")).flatMap((traceId) =>
    ["s3.GetObject", "ringlight.read", "ringlight.pages", "ringlight.ufs.get"].map(
      (name, place): TestSpan => ({
        traceId,
        name,
        startMs: 1_700_000_000_000 + place,
        durationMs: 10,
        attributes: {
          "ringlight.mount": `mount-${place}`,
          "ringlight.outcome": "miss",
          "ringlight.miss.reason": reason,
          "ringlight.tier": "ufs",
          "ringlight.served_by": "worker-1",
          "ringlight.bytes": place * 4096,
        },
      }),
    ),
  );
}

test("a store that is filled many times over takes all that comes, and its file holds what its bounds say", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "store-core-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const bounds = { recentBytes: 6 * MIB, keptBytes: 6 * MIB, logBytes: MIB, metricBytes: MIB };
  const store = new StoreCore({ ...testOptions(directory), ...bounds });
  for (let round = 0; round < 100; round++) {
    // Of one reason all are kept, of the other none.
    store.take("traces", traceBody(traces(100, "evicted")), Date.now());
    store.take("traces", traceBody(traces(100, "cold")), Date.now());
    store.commit(Date.now());
  }
  const { recent, kept, prunedTraces, failure } = store.stats();
  store.close(Date.now());
  assert.equal(failure, undefined);
  for (const { usedBytes, limitBytes } of [recent, kept]) {
    assert.ok(usedBytes < 1.1 * limitBytes, `${usedBytes} bytes of ${limitBytes}`);
    assert.ok(usedBytes > 0.8 * limitBytes, `${usedBytes} bytes of ${limitBytes}: no more leave than must`);
  }
  assert.ok(prunedTraces > 10_000, `${prunedTraces} pruned`);
  const file = statSync(join(directory, "telemetry.db")).size;
  assert.ok(file < 1.25 * 12 * MIB, `${(file / MIB).toFixed(1)} MiB of file for 12 MiB of traces`);
});

test("kept traces of one span each leave as quickly as they come", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "store-core-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const store = new StoreCore({ ...testOptions(directory), keptBytes: 2 * MIB });
  context.after(() => store.close(Date.now()));
  for (let round = 0; round < 10; round++) {
    const spans = Array.from(
      { length: 2000 },
      (): TestSpan => ({
        traceId: randomBytes(16).toString("hex"),
        name: "n",
        startMs: round,
        durationMs: 1,
        error: "no",
      }),
    );
    store.take("traces", traceBody(spans), Date.now());
    store.commit(Date.now());
  }
  const { kept } = store.stats();
  assert.ok(kept.usedBytes < 4 * MIB, `${kept.usedBytes} bytes of ${kept.limitBytes}`);
});

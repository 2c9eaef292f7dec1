import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Clock } from "@ringlight/core";
import { systemClock } from "@ringlight/core";
import { openPageStore } from "./open-page-store.ts";
import { diskDirectory } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const HOUR = 3_600_000;

test("the inventory counts pages by tier, age, use and version, each version once", async () => {
  const directory = diskDirectory();
  let offsetMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => Date.now() + offsetMs,
    monotonicMs: () => systemClock.monotonicMs(),
  };
  const tiers = [{ name: "ssd", directories: [directory], limitBytes: 64 << 20 }];
  const old = versionId("m", "old", "1");
  const hot = versionId("m", "hot", "1");
  const first = await openPageStore({ tiers, clock });
  await first.put(old, 0, Buffer.alloc(1000));
  await first.close();
  // As after kill -9: nobody wrote down when the page came.
  fs.rmSync(join(directory, "index.snapshot"));

  const store = await openPageStore({ tiers, clock });
  try {
    for (let index = 0; index < 3; index++) await store.put(hot, index, Buffer.alloc(2000));
    for (let read = 0; read < 5; read++) (await store.open(hot, 1))?.release();
    offsetMs = 2 * HOUR;
    const inventory = await store.inventory(clock.now());
    const [tier] = inventory.tiers();
    assert.ok(tier);
    assert.equal(tier.pages, 4);
    assert.equal(tier.bytes, 7000);
    const found = (bands: typeof tier.ages) =>
      bands.filter(({ pages }) => pages > 0).map(({ from, pages }) => [from, pages]);
    assert.deepEqual(
      found(tier.ages),
      [
        [-1, 1],
        [HOUR, 3],
      ],
      "a page of an earlier process that was killed, and three that are two hours old",
    );
    assert.deepEqual(found(tier.uses), [
      [0, 3],
      [4, 1],
    ]);
    assert.deepEqual(inventory.take(hot), { pages: 3, bytes: 6000 });
    assert.equal(inventory.take(hot), undefined);
    assert.equal(inventory.take(versionId("m", "never", "1")), undefined);
    assert.deepEqual(inventory.left, { pages: 1, bytes: 1000 });
    assert.equal(store.stats()[0]?.storedPages, 3);
  } finally {
    await store.close();
  }
});

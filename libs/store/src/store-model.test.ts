import assert from "node:assert/strict";
import { test } from "node:test";
import type { PageRef } from "@ringlight/core";
import fc from "fast-check";
import { contractPage } from "./contract.ts";
import { EVICTION_POLICY_NAMES } from "./eviction-policy.ts";
import { openPageStore } from "./open-page-store.ts";
import { bytesOnDisk, diskDirectory, memoryDirectory } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const VERSIONS = ["a", "b", "c", "d"].map((key) => versionId("model", key, "1"));
/** Length of a page: fixed by the page's name, as in an object, and of all kinds. */
const lengthOf = (version: number, index: number): number => [1, 4096, 9000, 70_000, 30_000][(version + index) % 5]!;

const page = { version: fc.nat(VERSIONS.length - 1), index: fc.nat(11) };
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("put" as const), ...page }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("read" as const), ...page }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("hold" as const), ...page }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("release" as const), ...page }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("invalidate" as const), ...page }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const), ...page }) },
);

test("under random operations all bytes read are right, invalidated pages stay away, and the bytes on disk never pass the limits", async () => {
  const policy = fc.constantFrom(...EVICTION_POLICY_NAMES);
  await fc.assert(
    fc.asyncProperty(policy, fc.array(command, { minLength: 30, maxLength: 150 }), async (evictionPolicy, commands) => {
      const mem = memoryDirectory();
      const ssd = [diskDirectory(), diskDirectory()];
      const memLimit = 200_000;
      const ssdLimit = 500_000;
      const open = () =>
        openPageStore({
          tiers: [
            { name: "mem", directories: [mem], limitBytes: memLimit },
            { name: "ssd", directories: ssd, limitBytes: ssdLimit },
          ],
          evictionPolicy,
          openFileLimit: 3,
          verifySampleRate: 0.2,
        });
      const measure = (): void => {
        assert.ok(bytesOnDisk(mem) <= memLimit);
        for (const directory of ssd) assert.ok(bytesOnDisk(directory) <= ssdLimit / 2);
        for (const tier of store.stats()) assert.ok(tier.usedBytes <= tier.limitBytes && tier.usedBytes >= 0);
      };
      let store = await open();
      const held: { ref: PageRef; version: number; index: number }[] = [];
      /** Pages that were put and not invalidated since: the only ones that may be found. */
      const possible = new Set<string>();
      const pending = new Set<Promise<unknown>>();
      const check = (ref: PageRef, version: number, index: number): void => {
        const expected = contractPage(VERSIONS[version]!, index, lengthOf(version, index));
        assert.ok(ref.read(0, ref.lengthBytes).equals(expected), "the bytes are those that were put");
      };
      for (const [at, { kind, version, index }] of commands.entries()) {
        const id = VERSIONS[version]!;
        const name = `${version}-${index}`;
        if (kind === "put") {
          possible.add(name);
          const put = store.put(id, index, contractPage(id, index, lengthOf(version, index)));
          pending.add(put);
          if (index % 3 === 0) await put;
        } else if (kind === "read" || kind === "hold") {
          const ref = await store.open(id, index);
          if (ref) {
            assert.ok(possible.has(name), "nothing is found that was invalidated or never put");
            check(ref, version, index);
            if (kind === "hold") held.push({ ref, version, index });
            else ref.release();
          }
        } else if (kind === "release") {
          const one = held.splice(index % Math.max(1, held.length), 1)[0];
          if (one) {
            check(one.ref, one.version, one.index);
            one.ref.release();
          }
        } else if (kind === "invalidate") {
          store.invalidate(id);
          for (const other of [...possible]) if (other.startsWith(`${version}-`)) possible.delete(other);
          assert.equal(store.peek(id, index), undefined);
          assert.deepEqual(store.cachedRuns(id), []);
        } else {
          for (const { ref } of held.splice(0)) ref.release();
          await store.close();
          store = await open();
        }
        if (at % 4 === 0) measure();
      }
      for (const one of held) {
        check(one.ref, one.version, one.index);
        one.ref.release();
      }
      await Promise.all(pending);
      await store.idle();
      measure();
      const onDisk = [mem, ...ssd].map(bytesOnDisk).reduce((sum, bytes) => sum + bytes);
      const accounted = store.stats().reduce((sum, tier) => sum + tier.usedBytes, 0);
      assert.equal(accounted, onDisk, "when nothing moves, what is accounted is what is on disk");
      assert.ok(store.stats().every((tier) => tier.corruptPages === 0));
      await store.close();
    }),
    { numRuns: 25, endOnFailure: true },
  );
});

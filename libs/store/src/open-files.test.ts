import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { contractPage, readPage } from "./contract.ts";
import { OpenFiles, type PageMapper } from "./open-files.ts";
import { openPageStore } from "./open-page-store.ts";
import { diskDirectory, memoryDirectory } from "./scratch.ts";
import { versionId } from "./version-id.ts";

/** Says what it is told, and that nothing is unmapped when its descriptor is closed or another file's. */
class CheckingMapper implements PageMapper {
  readonly mapped = new Map<number, { readonly ino: number; readonly length: number }>();
  maps = 0;

  mapPage(fd: number, length: number): boolean {
    assert.equal(this.mapped.has(fd), false, "a descriptor is mapped once");
    const { ino, size } = fs.fstatSync(fd);
    assert.ok(length <= size);
    this.mapped.set(fd, { ino, length });
    this.maps++;
    return true;
  }

  unmapPage(fd: number, length: number): void {
    const { ino } = fs.fstatSync(fd);
    assert.deepEqual(this.mapped.get(fd), { ino, length });
    this.mapped.delete(fd);
  }
}

test("pages in memory that are read often are mapped, and unmapped before their descriptor closes: dropped, pushed out, evicted", async () => {
  const mapper = new CheckingMapper();
  const PAGE_BYTES = 5_000;
  const store = await openPageStore({
    tiers: [
      { name: "mem", directories: [memoryDirectory()], limitBytes: 100 * 8192 },
      { name: "ssd", directories: [diskDirectory()], limitBytes: 1000 * 8192 },
    ],
    openFileLimit: 8,
    mapper,
  });
  const version = (object: number) => versionId("m", `object-${object}`, "1");
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % below;
  };
  let most = 0;
  for (let step = 0; step < 3_000; step++) {
    const object = random(step % 2 === 0 ? 4 : 160);
    const page = await readPage(store, version(object), 0);
    if (page === undefined) await store.put(version(object), 0, contractPage(version(object), 0, PAGE_BYTES));
    else assert.ok(page.equals(contractPage(version(object), 0, PAGE_BYTES)));
    if (step % 97 === 0) store.invalidate(version(random(4)));
    most = Math.max(most, mapper.mapped.size);
  }
  assert.ok(mapper.maps > 20, `${mapper.maps} were mapped`);
  assert.ok(most <= 9, `${most} at once, of 8 that stay open and one that is held`);
  const held = await store.open(version(0), 0);
  await store.close();
  held?.release();
  assert.equal(mapper.mapped.size, 0);
});

test("the files that stay open are those in use: what was not used since it was last thought of goes first", () => {
  const directory = diskDirectory();
  const path = (slot: number) => join(directory, `${slot}`);
  for (let slot = 0; slot < 20; slot++) fs.writeFileSync(path(slot), "x");
  let opened: number[] = [];
  const files = new OpenFiles(4);
  const use = (slot: number) =>
    files.release(
      files.acquire(slot, 1, () => {
        opened.push(slot);
        return path(slot);
      }),
    );
  const held = files.acquire(19, 1, () => path(19));
  for (let slot = 0; slot < 18; slot++) {
    use(0);
    use(slot);
  }
  assert.deepEqual(
    opened,
    Array.from({ length: 18 }, (_, slot) => slot),
    "what is used all the time is opened once",
  );
  opened = [];
  fs.fstatSync(held.fd);
  files.release(held);
  files.close();
  assert.throws(() => fs.fstatSync(held.fd), { code: "EBADF" });
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Clock } from "@ringlight/core";
import { contractPage, readPage } from "./contract.ts";
import { openPageStore } from "./open-page-store.ts";
import { diskDirectory } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const PAGE_BYTES = 100_000;
const version = versionId("disk", "k", "1");
const page = (index: number) => contractPage(version, index, PAGE_BYTES);

/** A clock that the test turns by hand. */
class HandClock implements Clock {
  ms = 0;
  now(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * Makes a directory take no files and take them again: as a small tmpfs filled to the brim where the test may mount one,
 * and else by a file in the place of every sub-directory.
 */
function breakableDirectory(t: TestContext): { directory: string; fail(): void; heal(): void } {
  const directory = diskDirectory();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", directory], { stdio: "ignore" });
  } catch {
    const pages = join(directory, "pages");
    return {
      directory,
      fail: () => {
        fs.renameSync(pages, `${pages}.away`);
        fs.writeFileSync(pages, "");
      },
      heal: () => {
        fs.rmSync(pages);
        fs.renameSync(`${pages}.away`, pages);
      },
    };
  }
  t.after(() => {
    execFileSync("umount", ["--lazy", directory]);
  });
  const filler = join(directory, "filler");
  return {
    directory,
    fail: () => {
      const fd = fs.openSync(filler, "w");
      assert.throws(
        () => {
          for (;;) fs.writeSync(fd, Buffer.alloc(4096));
        },
        { code: "ENOSPC" },
      );
      fs.closeSync(fd);
    },
    heal: () => fs.rmSync(filler),
  };
}

test("a full disk is an answer, an error in the statistics and a pause, after which the tier is used again", async (t) => {
  const clock = new HandClock();
  const disk = breakableDirectory(t);
  const warnings: string[] = [];
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [disk.directory], limitBytes: 6_000_000 }],
    clock,
    verifySampleRate: 0,
    log: (level, message) => level === "warn" && warnings.push(message),
  });
  for (let index = 0; index < 5; index++) {
    assert.ok((await store.put(version, index, page(index))).stored);
    assert.ok(await readPage(store, version, index));
  }
  disk.fail();
  for (let index = 5; index < 10; index++) {
    const answer = await store.put(version, index, page(index));
    assert.ok(!answer.stored && answer.reason.includes("ssd"), "the reason names the tier");
    assert.equal(store.missReason(version, index), "admission_refused");
  }
  assert.ok(store.stats()[0]?.error);
  assert.equal(warnings.length, 1, "one line, not one a page");
  for (let index = 0; index < 5; index++) assert.ok((await readPage(store, version, index))?.equals(page(index)));
  disk.heal();
  assert.equal((await store.put(version, 10, page(10))).stored, false, "the pause has not passed yet");
  clock.ms += 1001;
  assert.ok((await store.put(version, 10, page(10))).stored);
  assert.equal(store.stats()[0]?.error, undefined);
  await store.close();
});

test("pages go to the next tier, and to the other directory of a tier, while a disk fails", async (t) => {
  const clock = new HandClock();
  const mem = breakableDirectory(t);
  const first = breakableDirectory(t);
  const second = diskDirectory();
  const store = await openPageStore({
    tiers: [
      { name: "mem", directories: [mem.directory], limitBytes: 4_000_000 },
      { name: "ssd", directories: [first.directory, second], limitBytes: 12_000_000 },
    ],
    clock,
  });
  mem.fail();
  first.fail();
  const answers = [];
  for (let index = 0; index < 20; index++) answers.push(await store.put(version, index, page(index)));
  assert.ok(answers.filter((answer) => answer.stored && answer.tier === "ssd").length >= 18);
  assert.ok(store.stats()[0]?.error && store.stats()[1]?.error);
  mem.heal();
  first.heal();
  await store.close();
});

test("pages evicted from mem are lost and counted, not kept for ever, while ssd fails", async (t) => {
  const clock = new HandClock();
  const ssd = breakableDirectory(t);
  const store = await openPageStore({
    tiers: [
      { name: "mem", directories: [diskDirectory()], limitBytes: 1_000_000 },
      { name: "ssd", directories: [ssd.directory], limitBytes: 6_000_000 },
    ],
    clock,
  });
  ssd.fail();
  let stored = 0;
  for (let index = 0; index < 60; index++) {
    const answer = await store.put(version, index, page(index));
    if (answer.stored) stored++;
    await store.idle();
  }
  assert.ok(stored > 40, `${stored} of 60 went to mem`);
  assert.ok(store.stats()[0]!.droppedDemotions > 10);
  ssd.heal();
  await store.close();
});

test("a directory whose sub-directory was removed makes it again", async () => {
  const directory = diskDirectory();
  const store = await openPageStore({ tiers: [{ name: "ssd", directories: [directory], limitBytes: 6_000_000 }] });
  fs.rmSync(join(directory, "pages"), { recursive: true });
  assert.ok((await store.put(version, 0, page(0))).stored);
  assert.ok((await readPage(store, version, 0))?.equals(page(0)));
  await store.close();
});

test("a limit larger than the file system is reduced, and the log says so", async () => {
  const lines: string[] = [];
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [diskDirectory()], limitBytes: 2 ** 52 }],
    log: (level, message) => level === "warn" && lines.push(message),
  });
  assert.ok(store.stats()[0]!.limitBytes < 2 ** 52);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /has room for/);
  await store.close();
});

test("a full file system at the start is RL_DISK_FULL, naming the directory", async (t) => {
  const disk = breakableDirectory(t);
  const mounted = fs.statfsSync(disk.directory).blocks * 4096 < 10_000_000;
  if (mounted) {
    disk.fail();
    await assert.rejects(
      openPageStore({ tiers: [{ name: "ssd", directories: [disk.directory], limitBytes: 6_000_000 }] }),
      (error: Error & { code?: string }) => error.code === "RL_DISK_FULL" && error.message.includes(disk.directory),
    );
  }
});

test("a directory without permission is RL_NO_PERMISSION, a file in its place RL_BAD_CONFIG, naming the directory", async () => {
  const parent = diskDirectory();
  const directory = join(parent, "store");
  fs.mkdirSync(directory);
  fs.chmodSync(directory, 0o500);
  fs.chmodSync(parent, 0o755);
  const open = (path: string) =>
    openPageStore({ tiers: [{ name: "ssd", directories: [path], limitBytes: 6_000_000 }] });
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await assert.rejects(
      open(directory),
      (error: Error & { code?: string }) => error.code === "RL_NO_PERMISSION" && error.message.includes(directory),
    );
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  const file = join(parent, "file");
  fs.writeFileSync(file, "");
  await assert.rejects(open(file), { code: "RL_BAD_CONFIG" });
  await assert.rejects(open(join(file, "below")), { code: "RL_BAD_CONFIG" });
});

test("options that make no sense are RL_BAD_CONFIG", async () => {
  const tier = { name: "ssd", directories: [diskDirectory()], limitBytes: 6_000_000 };
  for (const tiers of [
    [],
    [{ ...tier, directories: [] }],
    [{ ...tier, limitBytes: 0 }],
    [{ ...tier, limitBytes: Number.NaN }],
    [tier, { ...tier, directories: [diskDirectory()] }],
  ]) {
    await assert.rejects(openPageStore({ tiers }), { code: "RL_BAD_CONFIG" });
  }
});

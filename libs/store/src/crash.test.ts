import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { contractPage, readPage } from "./contract.ts";
import { DirectoryLock, LOCK_FILE } from "./directory-lock.ts";
import { openPageStore } from "./open-page-store.ts";
import { parsePageName } from "./page-file.ts";
import { bytesOnDisk, diskDirectory, filesBelow, memoryDirectory, pageFiles } from "./scratch.ts";

const program = new URL("./crash-child.ts", import.meta.url).pathname;

async function startPutLoop(mem: string, ssd: string, seed: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, mem, ssd, String(seed)], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

test("after kill -9 every page that is found is whole, temporaries are gone, and the limits hold, round after round", async (t) => {
  const mem = memoryDirectory();
  const ssd = diskDirectory();
  const open = () =>
    openPageStore({
      tiers: [
        { name: "mem", directories: [mem], limitBytes: 2_000_000 },
        { name: "ssd", directories: [ssd], limitBytes: 4_000_000 },
      ],
    });
  let temporaries = 0;
  for (let round = 0; round < 6; round++) {
    await kill(await startPutLoop(mem, ssd, round));
    temporaries += [mem, ssd].flatMap(filesBelow).filter(({ path }) => basename(path).startsWith(".t")).length;
    const store = await open();
    const names = [mem, ssd].flatMap(pageFiles).map((path) => parsePageName(basename(path)));
    assert.ok(names.length > 10);
    for (const page of names) {
      assert.ok(page, "there are page files only");
      const found = await readPage(store, page.version, page.index);
      assert.ok(found, `page ${page.index} of ${page.version} is served`);
      assert.ok(found.equals(contractPage(page.version, page.index, 90_000 + page.index)));
    }
    for (const tier of store.stats()) {
      assert.equal(tier.corruptPages, 0);
      assert.ok(tier.usedBytes <= tier.limitBytes);
    }
    await store.close();
    assert.ok(bytesOnDisk(mem) <= 2_000_000);
    assert.ok(bytesOnDisk(ssd) <= 4_000_000);
  }
  t.diagnostic(`${temporaries} half-written files were found and removed`);
});

test("a directory that another process uses is refused, naming the process and the directory, and is free once it is dead", async () => {
  const mem = memoryDirectory();
  const ssd = diskDirectory();
  const child = await startPutLoop(mem, ssd, 0);
  const other = diskDirectory();
  const tiers = [
    { name: "first", directories: [other], limitBytes: 4_000_000 },
    { name: "ssd", directories: [ssd], limitBytes: 4_000_000 },
  ];
  try {
    await assert.rejects(openPageStore({ tiers }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "RL_CONFLICT");
      assert.match(error.message, new RegExp(`pid ${child.pid}`));
      assert.ok(error.message.includes(ssd));
      return true;
    });
    assert.ok(!fs.existsSync(join(other, LOCK_FILE)), "what was taken before the failure is given back");
  } finally {
    await kill(child);
  }
  assert.ok(fs.existsSync(join(ssd, LOCK_FILE)));
  const store = await openPageStore({ tiers });
  await store.close();
  assert.ok(!fs.existsSync(join(ssd, LOCK_FILE)));
});

test("one process cannot open a directory twice, not even through a link", async () => {
  const directory = diskDirectory();
  const link = join(diskDirectory(), "link");
  fs.symlinkSync(directory, link);
  const tier = (name: string, path: string) => ({ name, directories: [path], limitBytes: 4_000_000 });
  await assert.rejects(openPageStore({ tiers: [tier("a", directory), tier("b", link)] }), { code: "RL_CONFLICT" });
  const store = await openPageStore({ tiers: [tier("a", directory)] });
  await assert.rejects(openPageStore({ tiers: [tier("a", directory)] }), { code: "RL_CONFLICT" });
  await store.close();
});

test("a lock whose pid now belongs to another program, or that says nothing sensible, is taken over", () => {
  const directory = diskDirectory();
  const path = join(directory, LOCK_FILE);
  for (const text of [
    JSON.stringify({ pid: process.ppid, started: "another-boot:1" }),
    JSON.stringify({ pid: process.pid, started: "another-boot:1" }),
    JSON.stringify({ pid: 2 ** 30, started: "x" }),
    "",
    "garbage",
    "{}",
  ]) {
    fs.writeFileSync(path, text);
    const lock = DirectoryLock.acquire(directory);
    assert.throws(() => DirectoryLock.acquire(directory), { code: "RL_CONFLICT" });
    lock.release();
    lock.release();
    assert.deepEqual(fs.readdirSync(directory), []);
  }
});

test("a lock that somebody else holds by now is not released", () => {
  const directory = diskDirectory();
  const lock = DirectoryLock.acquire(directory);
  fs.writeFileSync(join(directory, LOCK_FILE), "another");
  lock.release();
  assert.equal(fs.readFileSync(join(directory, LOCK_FILE), "utf8"), "another");
});

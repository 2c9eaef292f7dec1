import assert from "node:assert/strict";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ensureNative, loadNative, type Native } from "@ringlight/native";
import type { LeaseSession } from "./lease-session.ts";
import { LeasedPage, OpenPages } from "./leased-page.ts";

ensureNative();
const { native } = loadNative();
const PAGE_BYTES = 256 * 1024;
const AHEAD = 12;
const TMPFS = 0x01021994;

/** Fills a page's file, some bytes in front of it and some behind it. */
function pageFile(t: TestContext, parent: string, index: number): { page: LeasedPage; bytes: Buffer } {
  const directory = mkdtempSync(join(parent, "ringlight-leased-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const bytes = Buffer.from(Array.from({ length: PAGE_BYTES }, (_, at) => (at * 31 + (at >>> 8) + index) & 255));
  const path = join(directory, "page");
  writeFileSync(path, Buffer.concat([Buffer.alloc(AHEAD, 1), bytes, Buffer.alloc(20, 2)]));
  const session = { unreadable: 0 } as LeaseSession;
  const described = { index, path, position: AHEAD, length: PAGE_BYTES, tier: "mem" };
  return { page: new LeasedPage(session, { path: "/m/o", version: "v" }, described), bytes };
}

function mapsOf(path: string): number {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.includes(path)).length;
}

const modes: readonly (readonly [name: string, parent: string, native: Native | undefined])[] = [
  ["mapped in memory", "/dev/shm", native],
  ["read from a disk", tmpdir(), native],
  ["read without the addon", "/dev/shm", undefined],
];

for (const [name, parent, addon] of modes) {
  test(`${name}: every read gives the page's bytes, also after the file has lost its name`, (t) => {
    const { page, bytes } = pageFile(t, parent, 1);
    const files = new OpenPages(4, addon);
    t.after(() => files.close());
    const target = Buffer.alloc(5000);
    const check = (within: number, length: number) => {
      target.fill(0);
      assert.equal(files.read(page, within, target, 7, length), true);
      assert.equal(target.subarray(7, 7 + length).equals(bytes.subarray(within, within + length)), true);
      assert.equal(target[7 + length], 0);
    };
    for (let turn = 0; turn < 4; turn++) {
      check(turn * 1000, 4096);
      check(PAGE_BYTES - 100, 100);
    }
    assert.equal(page.bytes !== undefined, addon !== undefined && statfsSync(parent).type === TMPFS);
    unlinkSync(page.file);
    check(0, 4096);
    assert.equal(files.read(page, PAGE_BYTES - 100, target, 0, 101), false);
    assert.deepEqual(files.sweep(), [page]);
    assert.equal(files.size, 0);
    assert.equal(files.read(page, 0, target, 0, 10), false);
  });
}

test("what was mapped is unmapped when its page is closed, and no more files than allowed stay mapped", async (t) => {
  if (native === undefined) return t.diagnostic("no addon on this machine");
  const files = new OpenPages(2, native);
  t.after(() => files.close());
  const target = Buffer.alloc(10);
  const made = Array.from({ length: 6 }, (_, index) => pageFile(t, "/dev/shm", index));
  for (const { page, bytes } of made) {
    for (let turn = 0; turn < 3; turn++) assert.equal(files.read(page, 50, target, 0, 10), true);
    assert.equal(target.equals(bytes.subarray(50, 60)), true);
  }
  assert.equal(made.filter(({ page }) => page.bytes !== undefined).length, 2);
  files.close();
  // Node gives mapped memory back in a later turn.
  while (made.some(({ page }) => mapsOf(page.file) > 0)) await new Promise(setImmediate);
});

test("a file that is too short is not mapped", (t) => {
  if (native === undefined) return t.diagnostic("no addon on this machine");
  const { page } = pageFile(t, "/dev/shm", 1);
  truncateSync(page.file, 1000);
  const fd = openSync(page.file, "r");
  t.after(() => closeSync(fd));
  assert.equal(native.mapFile(fd, 1001), undefined);
  assert.equal(native.mapFile(fd, 0), undefined);
  assert.equal(native.mapFile(-1, 10), undefined);
  assert.equal(native.mapFile(fd, 1000)?.byteLength, 1000);
});

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { PageCheck } from "./page-check.ts";
import { BlockChecksums, formatPageName, makeTrailer, pageFileBytes, parsePageName } from "./page-file.ts";
import { diskDirectory } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const version = versionId("m", "k", "1");

const path = join(diskDirectory(), "page");

/** Both ways of checking, which must agree. */
async function checkPageFile(file: Buffer, of: string, index: number, lengthBytes: number): Promise<boolean> {
  fs.writeFileSync(path, file);
  const fd = fs.openSync(path, "r");
  try {
    const whole = new PageCheck(fd, of, index, lengthBytes).checkSync(0, lengthBytes, false);
    assert.equal(await new PageCheck(fd, of, index, lengthBytes).check(0, lengthBytes, false), whole);
    return whole;
  } finally {
    fs.closeSync(fd);
  }
}

test("checksums that were made while a page came are those of the page", () => {
  for (const length of [0, 1, 65_536, 65_537, 200_000]) {
    const data = Buffer.from(Array.from({ length }, (_, at) => (at * 7919) >>> 5));
    for (const step of [1000, 65_536, 100_000, 200_000]) {
      const page = Buffer.alloc(length);
      const checksums = new BlockChecksums(length);
      for (let at = 0; at < length; ) {
        assert.equal(checksums.whole, undefined, "not before the last byte");
        const end = Math.min(length, at + step);
        data.copy(page, at, at, end);
        checksums.advance(page, end);
        at = end;
      }
      assert.deepEqual(makeTrailer(version, 0, page, checksums.whole), makeTrailer(version, 0, data));
    }
  }
});

test("a page file checks out for its own page only", async () => {
  for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const data = Buffer.alloc(length, "ringlight");
    const file = Buffer.concat([data, makeTrailer(version, 5, data)]);
    assert.equal(file.length, pageFileBytes(length));
    assert.ok(await checkPageFile(file, version, 5, length));
    assert.ok(!(await checkPageFile(file, version, 6, length)));
    assert.ok(!(await checkPageFile(file, versionId("m", "k", "2"), 5, length)));
    assert.ok(!(await checkPageFile(file.subarray(0, -1), version, 5, length)));
    assert.ok(!(await checkPageFile(Buffer.concat([file, Buffer.alloc(1)]), version, 5, length)));
  }
});

test("any flipped bit, in the page or in its trailer, is found", async () => {
  const data = Buffer.alloc(70_000, "ringlight");
  const file = Buffer.concat([data, makeTrailer(version, 0, data)]);
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.nat(7), async (at, bit) => {
      const damaged = Buffer.from(file);
      damaged[at]! ^= 1 << bit;
      assert.ok(!(await checkPageFile(damaged, version, 0, data.length)));
    }),
    { numRuns: 200 },
  );
});

test("a range is checked block by block: damage elsewhere does not matter to it, and does to the next range", async () => {
  const data = Buffer.alloc(300_000, "ringlight");
  const file = Buffer.concat([data, makeTrailer(version, 0, data)]);
  file[200_000]! ^= 1;
  fs.writeFileSync(path, file);
  const fd = fs.openSync(path, "r");
  const check = new PageCheck(fd, version, 0, data.length);
  assert.ok(await check.check(0, 4096, false));
  assert.ok(check.covers(0, 65_536) && !check.covers(65_000, 1000) && !check.isComplete);
  assert.ok(check.checkSync(100_000, 90_000, false));
  assert.ok(!(await check.check(196_608, 1, false)), "the damaged block");
  file[200_000]! ^= 1;
  fs.writeFileSync(path, file);
  assert.ok(await check.check(0, data.length, false));
  assert.ok(check.isComplete && check.covers(0, data.length));
  file[10]! ^= 1;
  fs.writeFileSync(path, file);
  assert.ok(check.checkSync(0, 100, false), "checked before");
  assert.ok(!check.checkSync(0, 100, true), "and found when it is checked again");
  fs.closeSync(fd);
});

test("names round-trip, and nothing else is taken for a name", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_fffe), fc.nat(16 * 1024 * 1024), (index, lengthBytes) => {
      assert.deepEqual(parsePageName(formatPageName(version, index, lengthBytes)), { version, index, lengthBytes });
    }),
  );
  for (const name of ["", ".t1", version, `${version}-0`, `${version}-00-1`, `${version}-0-1.tmp`, `X${version}-0-1`]) {
    assert.equal(parsePageName(name), undefined, name);
  }
  assert.equal(parsePageName(formatPageName(version, 0, 17 * 1024 * 1024)), undefined);
});

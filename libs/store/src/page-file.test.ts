import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkPageFile, formatPageName, makeTrailer, pageFileBytes, parsePageName } from "./page-file.ts";
import { versionId } from "./version-id.ts";

const version = versionId("m", "k", "1");

test("a page file checks out for its own page only", () => {
  for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const data = Buffer.alloc(length, "ringlight");
    const file = Buffer.concat([data, makeTrailer(version, 5, data)]);
    assert.equal(file.length, pageFileBytes(length));
    assert.ok(checkPageFile(file, version, 5, length));
    assert.ok(!checkPageFile(file, version, 6, length));
    assert.ok(!checkPageFile(file, versionId("m", "k", "2"), 5, length));
    assert.ok(!checkPageFile(file.subarray(0, -1), version, 5, length));
    assert.ok(!checkPageFile(Buffer.concat([file, Buffer.alloc(1)]), version, 5, length));
  }
});

test("any flipped bit, in the page or in its trailer, is found", () => {
  const data = Buffer.alloc(70_000, "ringlight");
  const file = Buffer.concat([data, makeTrailer(version, 0, data)]);
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.nat(7), (at, bit) => {
      const damaged = Buffer.from(file);
      damaged[at]! ^= 1 << bit;
      assert.ok(!checkPageFile(damaged, version, 0, data.length));
    }),
    { numRuns: 300 },
  );
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

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { buildRing, type Ring, type RingMember, type RingParams } from "./index.ts";

/** A file of testdata: what a ring is made of, and what it must be, in every release and every engine. */
interface Golden {
  readonly members: readonly RingMember[];
  readonly params: Partial<RingParams>;
  readonly expected: ReturnType<typeof describeRing>;
}

const TESTDATA = new URL("../testdata/", import.meta.url);

/** The digest is of the table's 16-bit numbers, little-endian. */
function describeRing(ring: Ring, keys: readonly string[]) {
  const table = Buffer.alloc(ring.table.length * 2);
  ring.table.forEach((member, at) => {
    table.writeUInt16LE(member, at * 2);
  });
  return {
    arcs: ring.arcs,
    replicas: ring.params.replicas,
    tableSha256: createHash("sha256").update(table).digest("hex"),
    keys: keys.map((key) => ({ key, arc: ring.arcOf(key), owners: ring.owners(key) })),
  };
}

describe("golden vectors", () => {
  const files = readdirSync(TESTDATA).filter((name) => name.endsWith(".json"));
  assert.ok(files.length > 0);
  for (const file of files) {
    it(`${file} is still the ring that it was: a change here moves the data of every cluster`, () => {
      const golden: Golden = JSON.parse(readFileSync(new URL(file, TESTDATA), "utf8"));
      const keys = golden.expected.keys.map(({ key }) => key);
      assert.deepEqual(describeRing(buildRing(golden.members, { params: golden.params }), keys), golden.expected);
      const reversed = [...golden.members].reverse();
      assert.deepEqual(describeRing(buildRing(reversed, { params: golden.params }), keys), golden.expected);
    });
  }
});

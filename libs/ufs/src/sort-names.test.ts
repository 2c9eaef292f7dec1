import assert from "node:assert/strict";
import { it } from "node:test";
import { compareKeys } from "@ringlight/core";
import { randomBytes } from "@ringlight/testing";
import { sortNames } from "./sort-names.ts";

it("sorts any number of names by their UTF-8 bytes", async () => {
  const words = new Uint32Array(new Uint8Array(randomBytes(4, 400_000)).buffer);
  for (const count of [0, 1, 2, 8192, 8193, 50_000]) {
    for (const alphabet of ["abc", "a\uffee\u{1f600}"]) {
      const letters = [...alphabet];
      const names = Array.from({ length: count }, (_, index) => {
        const word = words[index] ?? 0;
        return Array.from({ length: 1 + (word % 9) }, (_, at) => letters[(word >>> (at * 3)) % letters.length]).join(
          "",
        );
      });
      assert.deepEqual(await sortNames([...names]), [...names].sort(compareKeys), `${count} of ${alphabet}`);
    }
  }
});

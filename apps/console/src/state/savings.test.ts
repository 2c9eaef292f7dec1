import assert from "node:assert/strict";
import { test } from "node:test";
import * as column from "../columns.ts";
import { parsePrice, savingsOf } from "./savings.ts";

test("saved are the bytes and requests of hits, at as many GETs a page as misses took", () => {
  const totals = {
    [column.bytesHit("mem")]: 3 * 1024 ** 3,
    [column.bytesHit("ssd")]: 1024 ** 3,
    [column.pagesHit("mem")]: 4000,
    [column.pagesMiss("cold")]: 400,
    [column.ufs("get")]: 100,
  };
  const saved = savingsOf(totals, { perGib: 0.09, perThousandRequests: 0.4 });
  assert.equal(saved.bytes, 4 * 1024 ** 3);
  assert.equal(saved.requests, 1000);
  assert.ok(Math.abs(saved.cost - (4 * 0.09 + 0.4)) < 1e-9);
  assert.equal(savingsOf({}, { perGib: 1, perThousandRequests: 1 }).cost, 0);
});

test("prices are taken with a point or a comma, and nothing else", () => {
  assert.equal(parsePrice("0.09"), 0.09);
  assert.equal(parsePrice(" 0,4 "), 0.4);
  for (const text of ["", "x", "-1", "1 2"]) assert.equal(parsePrice(text), undefined);
});

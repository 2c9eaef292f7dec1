import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { KnownObjects } from "./known-objects.ts";

const directory = mkdtempSync(join(tmpdir(), "ringlight-known-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const idOf = (index: number) => `data s3://bucket/prefix http://store:9000/folder-${index % 17}/part-${index}.parquet`;

test("what one process learned the next one knows of, and little else", async () => {
  const file = join(directory, "known");
  const first = new KnownObjects(file);
  for (let index = 0; index < 20_000; index++) first.add(idOf(index));
  assert.ok(first.has(idOf(1)));
  await first.close();
  const second = new KnownObjects(file);
  let wrong = 0;
  for (let index = 0; index < 20_000; index++) {
    assert.equal(second.has(idOf(index)), true);
    if (second.has(idOf(1_000_000 + index))) wrong++;
  }
  assert.ok(wrong < 20, `${wrong} of 20,000 were thought to be known`);
  second.add(idOf(50_000));
  await second.close();
  const third = new KnownObjects(file);
  assert.ok(third.has(idOf(3)) && third.has(idOf(50_000)));
  await third.close();
});

test("a file that is damaged or cannot be written costs nothing but what it knew", async () => {
  const file = join(directory, "short");
  writeFileSync(file, "short");
  const known = new KnownObjects(file);
  assert.equal(known.has(idOf(1)), false);
  await known.close();
  const nowhere = new KnownObjects(join(directory, "absent/known"));
  nowhere.add(idOf(1));
  await nowhere.close();
});

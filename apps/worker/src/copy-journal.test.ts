import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CopyJournal } from "./copy-journal.ts";

const root = mkdtempSync(join(tmpdir(), "ringlight-copies-"));
after(() => rmSync(root, { recursive: true, force: true }));

const DAY_MS = 24 * 60 * 60_000;
const plan = {
  ...{ source: "/a/k", sourceUri: "s3://a", version: '"1"', sizeBytes: 100 },
  ...{ target: "/b/k", targetUri: "s3://b", partBytes: 40 },
};
const part = (partNumber: number) => ({ partNumber, etag: `"${partNumber}"`, md5: `m${partNumber}` });

function journalIn(name: string, fails = false) {
  const directory = join(root, name);
  const given: string[] = [];
  const journal = new CopyJournal(directory, async (target, _, uploadId) => {
    if (fails) throw new Error("the store is away");
    given.push(`${target} ${uploadId}`);
  });
  after(() => journal.close());
  return { directory, given, journal };
}

test("a copy that was interrupted is found with its parts, up to where its file is whole, and nobody else has it meanwhile", async () => {
  const { directory, given, journal } = journalIn("resumed");
  const first = await journal.open(plan);
  assert.equal(first?.before, undefined);
  await first?.begin("u1", []);
  await first?.add(part(2));
  await first?.add(part(1));
  assert.equal(await journal.open({ ...plan, version: '"2"' }), undefined, "one copy to a target at a time");
  first?.close();

  const [name = ""] = readdirSync(directory);
  const file = join(directory, name);
  const second = await new CopyJournal(directory, async () => undefined).open(plan);
  assert.deepEqual(second?.before, { uploadId: "u1", parts: [part(2), part(1)] });
  second?.close();
  truncateSync(file, readFileSync(file).length - 1);
  const third = await journal.open(plan);
  assert.deepEqual(third?.before?.parts, [part(2)]);
  await third?.end();
  assert.deepEqual([readdirSync(directory), given], [[], []]);
});

test("another version, or another store, is begun anew, and the upload of before is given up", async () => {
  for (const change of [{ version: '"2"' }, { sourceUri: "s3://c" }, { targetUri: "s3://c" }, { partBytes: 50 }]) {
    const { directory, given, journal } = journalIn(
      `changed-${JSON.stringify(change).length}${Object.keys(change)[0]}`,
    );
    const entry = await journal.open(plan);
    await entry?.begin("u1", []);
    entry?.close();
    const other = await journal.open({ ...plan, ...change });
    assert.equal(other?.before, undefined);
    assert.deepEqual([given, readdirSync(directory)], [["/b/k u1"], []]);
    other?.close();
  }
});

test("what nobody goes on with is given up after a day, and after a week of a store that is away only forgotten", async () => {
  const { directory, given, journal } = journalIn("old");
  const away = journalIn("away", true);
  for (const { journal: each } of [{ journal }, away]) {
    const entry = await each.open(plan);
    await entry?.begin("u1", [part(1)]);
    await each.sweep(Date.now() + 2 * DAY_MS);
    entry?.close();
    await each.sweep(Date.now() + DAY_MS / 2);
  }
  assert.deepEqual([given, readdirSync(directory).length], [[], 1], "neither one in use nor a young one");
  await journal.sweep(Date.now() + 2 * DAY_MS);
  assert.deepEqual([given, readdirSync(directory)], [["/b/k u1"], []]);
  await away.journal.sweep(Date.now() + 2 * DAY_MS);
  assert.equal(readdirSync(away.directory).length, 1);
  await away.journal.sweep(Date.now() + 8 * DAY_MS);
  assert.deepEqual(readdirSync(away.directory), []);
});

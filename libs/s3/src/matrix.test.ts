import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const root = new URL("../../../", import.meta.url);

test("every test that docs/s3.md names exists", async () => {
  const text = await readFile(new URL("docs/s3.md", root), "utf8");
  const named = [...text.matchAll(/([\w./-]+\.test\.ts)(?: › "([^"]+)")?/g)];
  assert.ok(named.length > 30);
  for (const [, file = "", sentence] of named) {
    const path = file.includes("/") ? file : `libs/s3/src/${file}`;
    const source = await readFile(new URL(path, root), "utf8");
    if (sentence !== undefined) assert.ok(source.includes(`test("${sentence}"`), `${file}: ${sentence}`);
  }
});

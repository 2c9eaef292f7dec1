import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const root = new URL("../../../", import.meta.url);
const NAMED = /([\w./-]+\.test\.ts)(?: › "([^"]+)")?/g;

/** Rows of the tables whose last column is "test": their cells. */
function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  let isTested = false;
  let isTable = false;
  for (const line of text.split("\n")) {
    if (!line.startsWith("|")) {
      isTable = false;
      continue;
    }
    const cells = line
      .slice(1, line.trimEnd().endsWith("|") ? line.trimEnd().length - 1 : undefined)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    if (!isTable) {
      isTable = true;
      isTested = cells.at(-1) === "test";
    } else if (isTested && !/^-+$/.test(cells[0] ?? "")) rows.push(cells);
  }
  return rows;
}

test("every test that docs/s3.md names exists", async () => {
  const text = await readFile(new URL("docs/s3.md", root), "utf8");
  const named = [...text.matchAll(NAMED)];
  assert.ok(named.length > 30);
  for (const [, file = "", sentence] of named) {
    const path = file.includes("/") ? file : `libs/s3/src/${file}`;
    const source = await readFile(new URL(path, root), "utf8");
    if (sentence !== undefined) assert.ok(source.includes(`test("${sentence}"`), `${file}: ${sentence}`);
  }
});

test("every row of docs/s3.md says which test backs it", async () => {
  const rows = rowsOf(await readFile(new URL("docs/s3.md", root), "utf8"));
  assert.ok(rows.length > 60, `${rows.length} rows`);
  for (const [index, cells] of rows.entries()) {
    const last = cells.at(-1) ?? "";
    const names = last.match(NAMED) !== null || (last === "the same" && index > 0);
    assert.ok(names, `"${cells[0]}" names no test: "${last}"`);
  }
});

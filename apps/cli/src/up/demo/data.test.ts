import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { type DemoScale, makeDemoData } from "./data.ts";
import { makeImage } from "./image.ts";
import { makeLog } from "./log-text.ts";
import { writeEmbeddings, writeLineItems } from "./table.ts";

const scratch = mkdtempSync(path.join(os.tmpdir(), "ringlight-demo-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const SMALL: DemoScale = {
  tables: 2,
  tableRows: 1000,
  embeddings: 1,
  embeddingRows: 40,
  images: 5,
  logs: 2,
  logBytes: 5000,
};

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

function hashes(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    files.filter((name) => statSync(path.join(dir, name)).isFile()).map((name) => [name, sha256(path.join(dir, name))]),
  );
}

describe("makeDemoData", () => {
  it("makes the same files every time, and leaves nothing else behind", async () => {
    const one = path.join(scratch, "one");
    const two = path.join(scratch, "two");
    const progress = await makeDemoData(one, SMALL, () => {});
    await makeDemoData(two, SMALL, () => {});
    assert.deepEqual(hashes(one), hashes(two));
    assert.equal(Object.keys(hashes(one)).length, progress.totalFiles);
    assert.equal(progress.totalFiles, 2 + 1 + 5 + 2 + 1);
    assert.deepEqual(readdirSync(scratch).sort(), ["one", "two"]);
  });

  it("goes on where it was interrupted", async () => {
    const dir = path.join(scratch, "resumed");
    await makeDemoData(dir, SMALL, () => {});
    const whole = hashes(dir);
    rmSync(path.join(dir, "logs/web-01.jsonl"));
    rmSync(path.join(dir, "images/00/00003.jpg"));
    const untouched = statSync(path.join(dir, "tables/lineitem-00.parquet")).mtimeMs;
    await makeDemoData(dir, SMALL, () => {});
    assert.deepEqual(hashes(dir), whole);
    assert.equal(statSync(path.join(dir, "tables/lineitem-00.parquet")).mtimeMs, untouched);
  });

  it("has something of each kind after a few files", async () => {
    const dir = path.join(scratch, "sample");
    const kinds = new Set<string>();
    await makeDemoData(dir, { ...SMALL, images: 100 }, ({ files }) => {
      if (files === 5) for (const name of readdirSync(dir)) kinds.add(name);
    });
    assert.deepEqual([...kinds].sort(), ["README.md", "embeddings", "images", "logs", "tables"]);
  });
});

describe("the demo's Parquet files", () => {
  it("are read by a Parquet reader, in several row groups", async () => {
    const file = path.join(scratch, "lineitem.parquet");
    await writeLineItems(file, 3, 1000, 300);
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    assert.equal(Number(metadata.num_rows), 1000);
    assert.equal(metadata.row_groups.length, 4);
    const rows = await parquetReadObjects({ file: buffer, rowStart: 998, rowEnd: 1000 });
    assert.equal(rows.length, 2);
    const row = rows[1]!;
    assert.equal(row.l_orderkey, 3_000_199);
    assert.ok(row.l_extendedprice >= 900 && row.l_shipdate instanceof Date, JSON.stringify(row));
  });

  it("hold embeddings as bytes", async () => {
    const file = path.join(scratch, "embeddings.parquet");
    await writeEmbeddings(file, 1, 10, 5);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file), utf8: false });
    assert.equal(rows.length, 10);
    assert.equal(rows[0]?.vector.length, 1536);
  });
});

describe("makeImage", () => {
  it("has the structure of a JPEG: markers, lengths, and no marker within the scan", () => {
    const image = makeImage("x", 1, 30_000);
    assert.equal(image.length, 30_000);
    assert.equal(image.readUInt16BE(0), 0xffd8);
    assert.equal(image.toString("latin1", 6, 10), "JFIF");
    assert.equal(image.readUInt16BE(image.length - 2), 0xffd9);
    let at = 2;
    const markers: number[] = [];
    while (image[at] === 0xff && image[at + 1] !== 0xda) {
      markers.push(image[at + 1]!);
      at += 2 + image.readUInt16BE(at + 2);
    }
    assert.deepEqual(markers, [0xe0, 0xdb, 0xc0, 0xc4, 0xc4]);
    const scan = image.subarray(at + 2 + image.readUInt16BE(at + 2), -2);
    assert.equal(scan.indexOf(0xff), -1);
  });
});

describe("makeLog", () => {
  it("is JSON line by line, of the size asked for", () => {
    const text = makeLog(1, 10_000);
    assert.ok(text.length >= 10_000 && text.length < 10_500);
    for (const line of text.trimEnd().split("\n")) assert.equal(typeof JSON.parse(line).route, "string");
  });
});

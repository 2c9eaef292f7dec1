import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { CaptureEncoder, type CaptureEntry } from "@ringlight/core";
import { importTrace, parseMapping } from "./import-trace.ts";
import { sampleTrace } from "./sample-trace.ts";

const scratch = mkdtempSync(join(tmpdir(), "ringlight-traces-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let files = 0;

function fileOf(content: string | Uint8Array): string {
  const file = join(scratch, `trace-${files++}`);
  writeFileSync(file, content);
  return file;
}

async function rowsOf(content: string | Uint8Array, format = "auto") {
  const imported = await importTrace(fileOf(content), format);
  const { trace } = imported;
  return {
    ...imported,
    rows: Array.from({ length: trace.rows }, (_, row) => ({ atMs: trace.atMs(row), ...trace.request(row) })),
  };
}

/** Where the recorded traces are, if they are on this machine. */
const RECORDED = process.env.BENCH_TRACES ?? "";

describe("traces", () => {
  it("of fsspec calls are recognised, with exclusive ends", async () => {
    const { rows, format, trace } = await rowsOf(
      "caller,operation,path,start,end\nmain,ls,b/val,,\nr1,info,s3://b/val/x.JPEG,,\nr1,_open,b/val/x.JPEG,,\nr1,cat_file,b/val/x.JPEG,100,300\n",
    );
    assert.equal(format, "fsspec");
    assert.deepEqual(rows, [
      { atMs: 0, op: "list", key: "b/val/", offset: 0, length: 0 },
      { atMs: 1, op: "head", key: "b/val/x.JPEG", offset: 0, length: 0 },
      { atMs: 2, op: "open", key: "b/val/x.JPEG", offset: 0, length: 0 },
      { atMs: 3, op: "get", key: "b/val/x.JPEG", offset: 100, length: 200 },
    ]);
    assert.deepEqual([trace.clients, trace.objects(7)], [2, [{ key: "b/val/x.JPEG", sizeBytes: 300 }]]);
  });

  it("of Twitter, Alibaba and IBM are recognised", async () => {
    const twitter = await rowsOf("10,key-a,5,120,3,get,0\n12,key-b,5,60,3,set,900\n12,key-b,5,60,4,incr,900\n");
    assert.deepEqual(
      [twitter.format, twitter.skipped, twitter.rows.map(({ atMs, op, length }) => [atMs, op, length])],
      [
        "twitter",
        1,
        [
          [0, "get", 0],
          [2000, "put", 60],
        ],
      ],
    );
    assert.equal(twitter.trace.sizeOf(0), 120);
    const alibaba = await rowsOf("419,R,4096,8192,1577808000000046\n419,W,0,4096,1577808000500046\n");
    assert.deepEqual(
      [alibaba.format, alibaba.rows[0]],
      ["alibaba-block", { atMs: 0, op: "get", key: "419", offset: 4096, length: 8192 }],
    );
    assert.equal(alibaba.rows[1]?.atMs, 500);
    const ibm = await rowsOf(
      "1219008 REST.PUT.OBJECT 8d4f 1056\n1219009 REST.GET.OBJECT 8d4f 1056 0 527\n1219010 REST.DELETE.OBJECT 8d4f\n",
    );
    assert.deepEqual(
      [ibm.format, ibm.skipped, ibm.rows[1]],
      ["ibm-cos", 1, { atMs: 1, op: "get", key: "8d4f", offset: 0, length: 528 }],
    );
  });

  it("of any other columns are told by a mapping, JSONL too", async () => {
    const file = fileOf('{"ts":1.5,"obj":"a","o":10,"n":5}\n{"ts":2,"obj":"b","o":0,"n":7}\n');
    const mapping = parseMapping("time=ts,unit=s,key=obj,offset=o,length=n", "jsonl", false);
    const { trace } = await importTrace(file, mapping);
    assert.deepEqual(
      [trace.rows, trace.atMs(1), trace.request(0)],
      [2, 500, { op: "get", key: "a", offset: 10, length: 5 }],
    );
    assert.throws(() => parseMapping("colour=x", ",", true), /"colour=x" maps nothing/);
  });

  it("with a damaged row are read without it, which is said; files of no format are refused", async () => {
    const good = Array.from({ length: 40 }, (_, at) => `r,cat_file,b/${at},0,10`);
    const { damaged, trace } = await rowsOf(
      ["caller,operation,path,start,end", ...good, "r,cat_file,b/x,0,12cat_file", ""].join("\n"),
    );
    assert.equal(trace.rows, 40);
    assert.deepEqual(damaged, ['line 42: the end is "12cat_file"; a number is needed']);
    await assert.rejects(importTrace(fileOf("what is this\n")), /its format is not known by its first line/);
    await assert.rejects(importTrace(fileOf("a,b\n1,x\n"), "alibaba-block"), { code: "RL_BAD_REQUEST" });
  });

  it("that Ringlight captured are recognised, and end where a record is cut off", async () => {
    const entry = (at: number): CaptureEntry => ({
      atMs: 1_700_000_000_000 + at * 10,
      op: at === 1 ? "head" : "get",
      path: `/demo/${at % 2 === 0 ? "a" : "ü"}`,
      client: "10.0.0.1",
      offset: at * 5_000_000_000,
      length: 4096,
      sizeBytes: 20_000_000_000,
      outcome: "hit",
    });
    const encoder = new CaptureEncoder(10_000, 1_700_000_000_000);
    for (let at = 0; at < 3; at++) assert.ok(encoder.add(entry(at)));
    const header = CaptureEncoder.header({ workerId: "w", cluster: "c", startedMs: 1_700_000_000_000, hashed: false });
    const file = Buffer.concat([header, encoder.take()]);
    const { rows, format } = await rowsOf(file);
    assert.equal(format, "capture");
    assert.deepEqual(
      rows.map(({ atMs, op, key, offset }) => [atMs, op, key, offset]),
      [
        [0, "get", "demo/a", 0],
        [10, "head", "demo/ü", 5_000_000_000],
        [20, "get", "demo/a", 10_000_000_000],
      ],
    );
    const bare = await importTrace(fileOf(file), "auto", 2, "demo/");
    assert.deepEqual(bare.trace.keys, ["a", "ü"]);
    assert.equal((await rowsOf(file.subarray(0, -3))).trace.rows, 2);
    const full = new CaptureEncoder(80, 0);
    assert.ok(full.add({ ...entry(0), path: "/p", client: "" }));
    assert.ok(!full.add({ ...entry(1), path: "/p", client: "" }), "no room, and nothing added");
  });

  it(`that were recorded import whole (${RECORDED === "" ? "a made-up sample of the same format: BENCH_TRACES is not set" : "the recorded files"})`, async () => {
    const [images, parquet] = ["ray_pytorch_jpeg_4workers.csv", "ray_xgboost_parquet.csv"].map((name) =>
      join(RECORDED, name),
    );
    if (RECORDED === "" || images === undefined || parquet === undefined || !existsSync(images)) {
      const { rows, format } = await rowsOf(sampleTrace({ files: 16, epochs: 2, seed: 1 }));
      assert.deepEqual([format, rows.length, rows.filter(({ op }) => op === "get").length], ["fsspec", 2 + 96, 32]);
      return;
    }
    const first = await importTrace(images);
    assert.equal(first.trace.rows + first.damaged.length + first.skipped, 1298);
    assert.ok(first.damaged.length < 20, first.damaged[0]);
    const second = await importTrace(parquet);
    assert.deepEqual([second.trace.rows, second.damaged.length, second.skipped], [19, 0, 0]);
    assert.deepEqual(
      second.trace.objects(0).map(({ sizeBytes }) => sizeBytes),
      [96_420_997],
    );
  });
});

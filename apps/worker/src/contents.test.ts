import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { connect } from "@ringlight/client";
import { waitFor } from "@ringlight/testing";
import { PageNames } from "./page-names.ts";
import { startTestCluster } from "./test-cluster.ts";

const PAGE = 64 * 1024;

test("a cluster tells what it holds by path, tier and use, and how far apart its uses lie", async () => {
  const cluster = await startTestCluster(2, ["--page-size=64KiB", "--mem=1MiB", "--ssd=8MiB"]);
  try {
    cluster.origin.createBucket("lake");
    for (let file = 0; file < 8; file++)
      cluster.origin.putObject("lake", `tables/t${file}`, Buffer.alloc(2 * PAGE, file));
    cluster.origin.putObject("lake", "logs/today", Buffer.alloc(PAGE / 2));
    await cluster.mount("lake");
    const s3 = cluster.s3(0);
    const read = async (Key: string) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: "lake", Key }));
      await Body?.transformToByteArray();
    };
    for (let round = 0; round < 3; round++) {
      for (let file = 0; file < 8; file++) await read(`tables/t${file}`);
      await read("logs/today");
    }
    const client = await connect({
      endpoints: cluster.workers.map(({ record }) => record.addresses.grpc),
      shortCircuit: false,
    });
    try {
      // Pages are stored behind their readers.
      await waitFor(
        async () => (await client.contents("/lake")).paths.reduce((sum, { objects }) => sum + objects, 0) === 9,
      );
      const contents = await client.contents("/lake");
      assert.deepEqual(
        contents.paths.map(({ path, bytes, pages, objects }) => [path, bytes, pages, objects]),
        [
          ["/lake/tables/", 16 * PAGE, 16, 8],
          ["/lake/logs/", PAGE / 2, 1, 1],
        ],
      );
      assert.equal(contents.unnamedBytes, 0);
      assert.equal((await client.contents("/")).paths[0]?.path, "/lake/");
      assert.equal((await client.contents("/", 3)).paths.length, 9);
      assert.deepEqual((await client.contents("/elsewhere")).paths, []);
      await assert.rejects(client.contents("/", 9), { code: "RL_BAD_REQUEST" });
      const pages = contents.tiers.reduce((sum, tier) => sum + tier.pages, 0);
      assert.equal(pages, 17);
      const used = contents.tiers.flatMap(({ uses }) => uses).filter(({ from, pages: count }) => from > 0 && count > 0);
      assert.equal(
        used.reduce((sum, { pages: count }) => sum + count, 0),
        17,
        "every page was used again",
      );

      // A worker that serves another one's page tells it of that a little later.
      await waitFor(async () => (await client.missRatioCurve()).requests === 3 * 17);
      const { hot } = await client.contents("/");
      assert.deepEqual(
        [hot.length, hot[0]?.requests, hot.at(-1)?.path, hot.at(-1)?.requests],
        [9, 6, "/lake/logs/today", 3],
      );
      const curve = await client.missRatioCurve();
      // Two of three rounds are uses again, at a distance of everything that the worker owns: at most 1.1 MiB.
      assert.ok(Math.abs(curve.hitRatio - 2 / 3) < 1e-9, String(curve.hitRatio));
      assert.ok((curve.points[0]?.hitRatio ?? 1) < 0.3, "a thirty-second of the size holds less");
      assert.equal(curve.workingSets[0]?.bytes, 16 * PAGE + PAGE / 2);
      assert.deepEqual(
        curve.tiers.map(({ name }) => name),
        ["mem", "ssd"],
      );
      assert.equal(
        cluster.workers.reduce((sum, worker) => sum + (worker.stats().tiers[0]?.storedPages ?? 0), 0) > 0,
        true,
      );
    } finally {
      client.close();
    }
  } finally {
    await cluster.close();
  }
});

test("names are found again by the next process, and lines cut by a kill are passed over", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-names-"));
  const file = join(directory, "page-names");
  const version = (at: number) => at.toString(16).padStart(32, "0");
  try {
    const first = new PageNames({ file, isHere: () => true });
    first.note(version(1), "/m/with a\nbreak");
    first.note(version(1), "/m/with a\nbreak");
    await first.close();
    appendFileSync(file, `${version(2)} "/m/cu`);
    const second = new PageNames({ file, isHere: () => true });
    const found: string[][] = [];
    await second.read((...name) => void found.push(name));
    assert.deepEqual(found, [[version(1), "/m/with a\nbreak"]]);
    await second.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a file that is mostly of pages that left is written anew with the others, and what comes again is named again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-names-"));
  const file = join(directory, "page-names");
  const version = (at: number) => at.toString(16).padStart(32, "0");
  try {
    const here = new Set([version(7), version(8)]);
    const names = new PageNames({ file, isHere: (id) => here.has(id) });
    for (let at = 0; at < 12_000; at++) names.note(version(at), `/m/${at}`);
    await names.read(() => undefined);
    assert.equal(readFileSync(file, "utf8").split("\n").length, 3);
    names.note(version(11_999), "/m/11999");
    const found: string[] = [];
    await names.read((_version, path) => void found.push(path));
    assert.deepEqual(found, ["/m/7", "/m/8", "/m/11999"]);
    await names.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

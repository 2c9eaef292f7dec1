import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { startS3Origin } from "@ringlight/testing";
import { putObjects } from "./datasets.ts";
import { compareRuns } from "./results/compare.ts";
import { htmlReport } from "./results/html-report.ts";
import { readHistograms, readRun, readSpans, readWindows } from "./results/run-directory.ts";
import { markdownReport } from "./results/text-report.ts";
import { runWorkload } from "./run-workload.ts";
import { loadDescription } from "./workloads/description.ts";
import { FULL, makePlan } from "./workloads/make-plan.ts";

const scratch = mkdtempSync(join(tmpdir(), "ringlight-bench-runs-"));
const closers: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(scratch, { recursive: true, force: true });
});
const GENERATOR = fileURLToPath(new URL("load/generator-main.ts", import.meta.url));
const quiet = () => {};

describe("a run", () => {
  it("of two targets in turn leaves a directory each, with everything that a report and a comparison need", async () => {
    const origin = await startS3Origin();
    closers.push(() => origin.close());
    origin.createBucket("bench");
    const description = loadDescription("random-get");
    const options = { ...FULL, scale: 0.125, recordScale: 0.01, users: 4 };
    const files = join(scratch, "files");
    const { objects } = makePlan(description, options);
    await putObjects(objects, { label: "store", url: `${origin.endpoint}/bench/data` }, quiet);
    await putObjects(objects, { label: "files", url: pathToFileURL(files).href }, quiet);
    let scrapes = 0;
    const metrics = createServer((_request, response) =>
      response.end(
        `ringlight_cache_requests_total{tier="mem",outcome="hit"} ${scrapes++ * 10}\nringlight_ring_epoch 3\n`,
      ),
    );
    await new Promise<void>((resolve) => metrics.listen(0, "127.0.0.1", resolve));
    closers.push(() => void metrics.close());
    const url = `http://127.0.0.1:${(metrics.address() as AddressInfo).port}/metrics`;
    const directories = await runWorkload({
      workload: { description, options },
      sides: [
        { address: { label: "store", url: `${origin.endpoint}/bench/data` }, isStore: true },
        { address: { label: "files", url: pathToFileURL(files).href }, metrics: [url] },
      ],
      rounds: 3,
      seconds: 0.3,
      processes: 1,
      // A second generator by a command, as on another machine.
      commands: [`exec "${process.execPath}" "${GENERATOR}"`],
      connections: 8,
      out: join(scratch, "runs"),
      progress: quiet,
    });
    const [store, other] = directories.map(readRun);
    for (const run of [store!, other!]) {
      const { summary, manifest, directory } = run;
      assert.equal(summary.state, "done");
      assert.equal(summary.rounds.length, 3);
      assert.ok(
        summary.warmUp !== undefined && summary.rounds.every(({ requests, errors }) => requests > 10 && errors === 0),
      );
      assert.deepEqual(readdirSync(directory).sort(), [
        "histograms.json",
        "manifest.json",
        "metrics.jsonl",
        "spans.jsonl",
        "summary.json",
        "windows.jsonl",
      ]);
      assert.match(manifest.planDigest, /^[0-9a-f]{64}$/);
      assert.ok(!readFileSync(join(directory, "manifest.json"), "utf8").includes("secretAccessKey"));
      const counted = readWindows(directory).reduce((sum, { requests }) => sum + requests, 0);
      const rounds = [summary.warmUp, ...summary.rounds].reduce((sum, { requests }) => sum + requests, 0);
      assert.equal(counted, rounds, "windows and rounds count the same requests");
      assert.equal(
        [...readHistograms(directory)].find(([name]) => name === "1/get/latency")?.[1].count,
        summary.rounds[0]!.requests,
      );
      assert.ok(readSpans(directory).length > 0);
    }
    assert.equal(store!.manifest.interleaved, other!.manifest.interleaved);
    assert.ok((store!.summary.median?.storeCostUsd ?? 0) > 0);
    assert.deepEqual(other!.summary.median?.server?.pages, { "hit mem": 10 });
    const comparison = compareRuns(store!, other!);
    assert.ok(comparison.paired && comparison.comparisons.length === 4, comparison.sentence);
    const html = htmlReport("Test", [{ runs: [store!, other!] }]);
    assert.match(html, /<svg viewBox[^>]*aria-label="Latency over time"/);
    assert.ok(!/(src|href)="?https?:/.test(html), "nothing is fetched from elsewhere");
    assert.match(markdownReport([store!, other!]), /\| files \| median of 3 \|/);
  });

  it("of training ends by itself, has its utilisation, and that of a target which fails says why", async () => {
    const origin = await startS3Origin();
    closers.push(() => origin.close());
    const description = loadDescription("unet3d");
    const options = { ...FULL, scale: 0.25, recordScale: 0.0001, epochs: 2 };
    for (const { key, sizeBytes } of makePlan(description, options).objects)
      origin.putObject("bench", key, { sizeBytes });
    const common = {
      rounds: 1,
      warmSeconds: 0,
      processes: 2,
      connections: 8,
      out: join(scratch, "runs"),
      progress: quiet,
    };
    const workload = { description, options };
    const side = (bucket: string) => [{ address: { label: "store", url: `${origin.endpoint}/${bucket}` } }];
    const [directory = ""] = await runWorkload({ ...common, workload, sides: side("bench") });
    const { training, requests } = readRun(directory).summary.rounds[0]!;
    assert.equal(requests, 42 * 2);
    assert.ok(
      training !== undefined && training.byEpoch.length === 2 && training.utilization > 0 && training.utilization <= 1,
    );
    await assert.rejects(
      runWorkload({ ...common, workload, sides: side("nothing") }),
      /every request failed; the first: GET .* status 404/,
    );
  });

  it("is driven by autocannon where that suits, with the same figures, and refused where it does not", async () => {
    const origin = await startS3Origin();
    closers.push(() => origin.close());
    const description = loadDescription("small-objects");
    const options = { ...FULL, scale: 0.005, users: 2 };
    for (const { key, sizeBytes } of makePlan(description, options).objects)
      origin.putObject("bench", key, { sizeBytes });
    const common = {
      sides: [{ address: { label: "store", url: `${origin.endpoint}/bench` } }],
      driver: "autocannon" as const,
      rounds: 1,
      seconds: 1,
      warmSeconds: 0,
      processes: 1,
      connections: 2,
      out: join(scratch, "runs"),
      progress: quiet,
    };
    const [directory = ""] = await runWorkload({ ...common, workload: { description, options } });
    const { rounds, operations } = readRun(directory).summary;
    assert.ok((rounds[0]?.requests ?? 0) > 0 && rounds[0]?.errors === 0);
    assert.equal(operations.get?.requests, rounds[0]?.requests);
    const unfit = { description: loadDescription("unet3d"), options: { ...FULL, recordScale: 0.001 } };
    await assert.rejects(runWorkload({ ...common, workload: unfit }), { code: "RL_BAD_REQUEST" });
  });

  it("begins no further round than its budget of time allows, and always makes one", async () => {
    const files = join(scratch, "budget");
    const description = loadDescription("random-get");
    const options = { ...FULL, scale: 0.0625, recordScale: 0.01, users: 1 };
    await putObjects(makePlan(description, options).objects, { label: "files", url: pathToFileURL(files).href }, quiet);
    const made = async (budgetMs: number) => {
      const [directory = ""] = await runWorkload({
        workload: { description, options },
        sides: [{ address: { label: "files", url: pathToFileURL(files).href } }],
        rounds: 5,
        seconds: 0.1,
        budgetMs,
        processes: 1,
        connections: 1,
        out: join(scratch, "runs"),
        progress: quiet,
      });
      return readRun(directory).summary;
    };
    assert.deepEqual([(await made(0)).rounds.length, (await made(60_000)).rounds.length], [1, 5]);
  });

  it("keeps an open loop's rate, and says of each round what was offered", async () => {
    const server = createServer((_request, response) =>
      response.writeHead(206, { "content-length": 4096 }).end(Buffer.alloc(4096)),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => void server.close());
    const [directory = ""] = await runWorkload({
      workload: { description: loadDescription("random-get"), options: FULL },
      sides: [{ address: { label: "null", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bench` } }],
      rounds: 1,
      rates: [100, 200],
      seconds: 1,
      warmSeconds: 0,
      processes: 2,
      connections: 16,
      out: join(scratch, "runs"),
      progress: quiet,
    });
    const { rounds } = readRun(directory).summary;
    assert.deepEqual(
      rounds.map(({ rate }) => rate),
      [100, 200],
    );
    // Poisson arrivals: within some five deviations.
    for (const { rate = 0, requests } of rounds) {
      assert.ok(Math.abs(requests - rate) < 5 * Math.sqrt(rate), `${requests} requests of ${rate}`);
    }
  });
});

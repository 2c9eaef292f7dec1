/**
 * `bench smoke`: cold and warm GETs of 4 KiB and 1 MiB through one worker against the same GETs straight from the store,
 * as ratios. The store is the S3 origin of libs/testing, in a process of its own on the same machine: a store with no
 * distance, so that the ratios show what the cache itself costs and not what it saves.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "@ringlight/client";
import { type Credentials, presignUrl } from "@ringlight/sigv4";
import { freePort, waitFor } from "@ringlight/testing";
import { BenchProcess } from "./bench-process.ts";
import { closedLoop, type Shot } from "./closed-loop.ts";
import { httpLoad } from "./http-load.ts";
import { type PairedCase, type PairedResult, runPaired } from "./paired.ts";
import { BUCKET, type SmokeObjects } from "./smoke-objects.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const CONNECTIONS = 8;
const COLD_SMALL = 300;
const COLD_LARGE = 48;
const WARM_LARGE = 192;
const WARM_SMALL_SECONDS = 3;
const WARM_OBJECT_BYTES = 16 * MIB;

/** Options of the smoke benchmark. */
export interface SmokeOptions {
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** Runs the benchmark. Starts its own store, registry and worker on free loopback ports, and stops them. */
export async function smoke({ rounds, progress }: SmokeOptions): Promise<PairedResult[]> {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-bench-"));
  const running: BenchProcess[] = [];
  const start = (...args: ConstructorParameters<typeof BenchProcess>) => {
    const started = new BenchProcess(...args);
    running.push(started);
    return started;
  };
  try {
    const objects = objectsFor(rounds);
    const origin = start("origin", script("bench/src/origin-main.ts"), [JSON.stringify(objects)]);
    const { endpoint } = await origin.line((line) => JSON.parse(line) as { endpoint: string });
    const registryPort = await freePort();
    start("registry", script("libs/registry/src/main.ts"), [
      `--port=${registryPort}`,
      `--data-dir=${join(directory, "registry")}`,
    ]);
    const [s3Port, grpcPort, restPort] = [await freePort(), await freePort(), await freePort()];
    const worker = start("worker", script("apps/worker/src/main.ts"), [
      `--data-dir=${join(directory, "worker")}`,
      `--registry=127.0.0.1:${registryPort}`,
      `--s3-port=${s3Port}`,
      `--grpc-port=${grpcPort}`,
      `--rest-port=${restPort}`,
      "--mem=1GiB",
      "--ssd=0",
      "--log-level=warn",
    ]);
    await waitFor(
      async () => (await fetch(`http://127.0.0.1:${restPort}/readyz`).catch(() => undefined))?.ok === true,
      { timeoutMs: 20_000 },
    );
    const client = await connect({ endpoints: [`127.0.0.1:${grpcPort}`] });
    await client.addMount({
      name: BUCKET,
      uri: `s3://${BUCKET}`,
      credentials: "anonymous",
      options: { endpoint, region: "us-east-1" },
      readOnly: true,
      replicas: 1,
      freshness: undefined,
      createdUnixMs: 0,
    });
    await client.close();
    const { keys } = JSON.parse(readFileSync(join(directory, "worker", "s3-credentials.json"), "utf8")) as {
      keys: [Credentials];
    };
    const urls = {
      cache: (key: string) => presigned(`http://127.0.0.1:${s3Port}`, key, keys[0]),
      direct: (key: string) => presigned(endpoint, key, keys[0]),
    };
    const cpu = { cache: () => worker.cpuSeconds() + origin.cpuSeconds(), direct: () => origin.cpuSeconds() };
    const results: PairedResult[] = [];
    for (const comparison of cases(urls, cpu)) {
      progress(comparison.name);
      results.push(await runPaired(comparison, rounds));
    }
    return results;
  } finally {
    for (const process of running.reverse()) await process.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Cold objects are new in each round, so that no reader has met them; the warm-up round is round 0. */
function objectsFor(rounds: number): SmokeObjects {
  const objects: { prefix: string; count: number; sizeBytes: number }[] = [
    { prefix: "warm", count: 1, sizeBytes: WARM_OBJECT_BYTES },
    { prefix: "large", count: 16, sizeBytes: MIB },
  ];
  for (let round = 0; round <= rounds; round++) {
    objects.push({ prefix: `cold-small/${round}/`, count: COLD_SMALL, sizeBytes: 4 * KIB });
    objects.push({ prefix: `cold-large/${round}/`, count: COLD_LARGE, sizeBytes: MIB });
  }
  return objects;
}

type Urls = Readonly<Record<"cache" | "direct", (key: string) => URL>>;
type Cpu = Readonly<Record<"cache" | "direct", () => number>>;

function cases(urls: Urls, cpu: Cpu): PairedCase[] {
  const paired = (name: string, run: (url: (key: string) => URL, round: number) => ReturnType<typeof closedLoop>) => ({
    name,
    cache: { run: (round: number) => run(urls.cache, round), cpuSeconds: cpu.cache },
    direct: { run: (round: number) => run(urls.direct, round), cpuSeconds: cpu.direct },
  });
  const whole = (url: (key: string) => URL, prefix: string, count: number, sizeBytes: number, times = 1): Shot[] =>
    Array.from({ length: count * times }, (_, index) => ({
      url: url(`${prefix}${index % count}`),
      expectBytes: sizeBytes,
    }));
  return [
    paired("cold 4 KiB object", (url, round) =>
      closedLoop(whole(url, `cold-small/${round}/`, COLD_SMALL, 4 * KIB), CONNECTIONS),
    ),
    paired("cold 1 MiB object", (url, round) =>
      closedLoop(whole(url, `cold-large/${round}/`, COLD_LARGE, MIB), CONNECTIONS),
    ),
    paired("warm 4 KiB range", (url, round) =>
      httpLoad(url("warm0"), {
        connections: CONNECTIONS,
        seconds: round === 0 ? 2 : WARM_SMALL_SECONDS,
        rangeBytes: 4 * KIB,
        sizeBytes: WARM_OBJECT_BYTES,
      }),
    ),
    paired("warm 1 MiB object", (url) => closedLoop(whole(url, "large", 16, MIB, WARM_LARGE / 16), CONNECTIONS)),
  ];
}

function presigned(endpoint: string, key: string, credentials: Credentials): URL {
  return presignUrl(
    { method: "GET", url: new URL(`${endpoint}/${BUCKET}/${key}`), headers: {} },
    { credentials, region: "us-east-1", expiresS: 3600 },
  );
}

function script(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/**
 * Readers by lease while objects change in the store, pages are evicted, leases are revoked and workers are killed: every
 * read has the bytes of one version, and of none that had been replaced for longer than the mount's freshness when the read
 * began. Readers are an SDK client, and S3 clients of both workers, which serve each other's pages.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { connect, type RinglightClient } from "@ringlight/client";
import { isRinglightError } from "@ringlight/core";
import { connectRegistry, startEmbeddedRegistry } from "@ringlight/registry";
import { type Credentials, presignUrl } from "@ringlight/sigv4";
import { freePort, type SpawnedProcess, spawnProcess, startS3Origin, waitFor } from "@ringlight/testing";

const KIB = 1024;
const OBJECTS = 12;
/** Together larger than the tiers of both workers, so that pages leave all the time. */
const OBJECT_BYTES = 1024 * KIB;
const TTL_MS = 300;
const RACE_MS = 8_000;
const MOST_EXTRA_MS = 120_000;

interface Version {
  readonly bytes: Buffer;
  /** When another one took its place. */
  replacedMs: number;
}

const directory = mkdtempSync(join(tmpdir(), "ringlight-race-"));
const closers: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
after(async () => {
  for (const close of closers.reverse()) await close();
});

const histories = new Map<string, Version[]>();
const pathOf = (index: number) => `/race/object-${index}`;

/** A version's bytes: its own name over and over, so that no two versions agree anywhere for long. */
function contents(index: number, version: number): Buffer {
  return Buffer.alloc(OBJECT_BYTES + version, `<object ${index} in version ${version}>`);
}

function check(path: string, offset: number, bytes: Buffer, startedMs: number, by: string): void {
  const versions = histories.get(path) ?? [];
  const match = versions.findLast((version) => version.bytes.subarray(offset, offset + bytes.length).equals(bytes));
  assert.ok(match, `${by}: ${bytes.length} bytes of ${path} from ${offset} on are of no version`);
  const staleMs = startedMs - match.replacedMs;
  assert.ok(staleMs <= TTL_MS, `${by}: ${path} had been replaced for ${Math.round(staleMs)} ms when the read began`);
}

test("no wrong byte and no stale read while objects change, pages leave and workers die", {
  timeout: 240_000,
}, async () => {
  const origin = await startS3Origin();
  closers.push(() => origin.close());
  const server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  closers.push(() => server.close());
  const endpoint = `127.0.0.1:${server.port}`;
  const registry = connectRegistry({ endpoints: [endpoint], cluster: "default" });
  closers.push(() => registry.close());
  await registry.ready(5000);

  const change = (index: number) => {
    const versions = histories.get(pathOf(index)) ?? [];
    histories.set(pathOf(index), versions);
    const bytes = contents(index, versions.length);
    origin.putObject("race", `object-${index}`, bytes);
    const last = versions.at(-1);
    if (last) last.replacedMs = performance.now();
    versions.push({ bytes, replacedMs: Number.POSITIVE_INFINITY });
  };
  for (let index = 0; index < OBJECTS; index++) change(index);

  const ports = await Promise.all(
    [0, 1].map(async () => [await freePort(), await freePort(), await freePort()] as const),
  );
  const workers: SpawnedProcess[] = [];
  const start = async (index: number) => {
    const [s3, grpc, rest] = ports[index] ?? [0, 0, 0];
    const worker = await spawnProcess(
      process.execPath,
      [
        join(import.meta.dirname, "main.ts"),
        `--data-dir=${join(directory, `worker-${index}`)}`,
        `--mem-dir=${join(directory, `mem-${index}`)}`,
        `--id=worker-${index}`,
        `--registry=${endpoint}`,
        `--s3-port=${s3}`,
        `--grpc-port=${grpc}`,
        `--rest-port=${rest}`,
        "--page-size=64KiB",
        "--segment-size=512KiB",
        "--mem=4MiB",
        "--ssd=0",
        "--log-level=error",
      ],
      { diesWithParent: true },
    );
    workers[index] = worker;
    return worker;
  };
  closers.push(() => Promise.all(workers.map((worker) => worker.stop())));
  await Promise.all([start(0), start(1)]);
  await registry.addMount({
    name: "race",
    uri: "s3://race",
    readOnly: true,
    freshness: { kind: "ttl", ttlMs: TTL_MS },
    replicas: 1,
    credentials: { kind: "anonymous" },
    options: { endpoint: origin.endpoint, region: "us-east-1" },
    createdMs: 0,
  });
  const isReady = async (index: number) => {
    const answer = await fetch(`http://127.0.0.1:${ports[index]?.[2]}/readyz`).catch(() => undefined);
    const known = (await answer?.json()) as { workers?: number; mounts?: number } | undefined;
    return answer?.ok === true && known?.workers === 2 && known.mounts === 1;
  };
  await waitFor(async () => (await isReady(0)) && (await isReady(1)), { timeoutMs: 60_000 });

  const client = await connect({ endpoints: ports.map(([, grpc]) => `127.0.0.1:${grpc}`) });
  closers.push(() => client.close());
  const endMs = performance.now() + RACE_MS;
  const counts = { now: 0, range: 0, stream: 0, s3: 0, failed: 0 };
  // On a machine with much other work workers are away for longer than they are there: it takes as long as it takes.
  const enough = () => counts.now > 200 && counts.range > 100 && counts.stream > 5 && counts.s3 > 50;
  const going = () => performance.now() < endMs || (!enough() && performance.now() < endMs + MOST_EXTRA_MS);

  await Promise.all([
    changeObjects(change, going),
    killWorkers(workers, start, isReady, going),
    ...[1, 2, 3, 4].map(() => readRanges(client, counts, going)),
    readStreams(client, counts, going),
    ...[0, 1].map((index) => readByS3(ports[index]?.[0] ?? 0, join(directory, `worker-${index}`), counts, going)),
  ]);
  assert.ok(enough(), JSON.stringify(counts));
});

type Counts = Record<"now" | "range" | "stream" | "s3" | "failed", number>;

async function changeObjects(change: (index: number) => void, going: () => boolean): Promise<void> {
  for (let turnOf = 0; going(); turnOf++) {
    change((turnOf * 7) % OBJECTS);
    await sleep(60);
  }
}

/** Kills one worker after the other without warning, and starts each again over the same directories. */
async function killWorkers(
  workers: readonly SpawnedProcess[],
  start: (index: number) => Promise<SpawnedProcess>,
  isReady: (index: number) => Promise<boolean>,
  going: () => boolean,
): Promise<void> {
  for (let index = 0; going(); index = 1 - index) {
    await sleep(1_200);
    if (!going()) return;
    workers[index]?.signal("SIGKILL");
    await workers[index]?.waitForExit();
    await start(index);
    await waitFor(() => isReady(index), { timeoutMs: 60_000 });
  }
}

/** Somewhere in some object, the first ones and their beginnings most of all, so that leases are used again. */
function place(): { readonly path: string; readonly offset: number; readonly length: number } {
  const offset = Math.floor(Math.random() ** 4 * OBJECT_BYTES);
  const longest = Math.random() < 0.1 ? 100 * KIB : 4 * KIB;
  const length = 1 + Math.floor(Math.random() * Math.min(longest, OBJECT_BYTES - offset));
  return { path: pathOf(Math.floor(Math.random() ** 3 * OBJECTS)), offset, length };
}

async function readRanges(client: RinglightClient, counts: Counts, going: () => boolean): Promise<void> {
  while (going()) {
    const { path, offset, length } = place();
    // The same place again and again: leased after a while, then changed, evicted or revoked under the reader.
    for (let again = 0; again < 100 && going(); again++) {
      const startedMs = performance.now();
      const leased = client.readNow(path, offset, length);
      if (leased !== undefined) {
        counts.now++;
        check(path, offset, leased, startedMs, "lease");
        await turn();
      } else if (again % 4 > 0) {
        await turn();
      } else {
        // One worker lives at any time: no range fails.
        const bytes = await client.readRange(path, offset, length);
        counts.range++;
        check(path, offset, bytes, startedMs, "range");
      }
    }
  }
}

async function readStreams(client: RinglightClient, counts: Counts, going: () => boolean): Promise<void> {
  while (going()) {
    const { path } = place();
    const startedMs = performance.now();
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of client.read(path).stream) chunks.push(chunk);
    } catch (error) {
      // An object that changes in mid-read ends the read.
      if (!isRinglightError(error)) throw error;
      counts.failed++;
      continue;
    }
    counts.stream++;
    check(path, 0, Buffer.concat(chunks), startedMs, "stream");
  }
}

async function readByS3(port: number, dataDir: string, counts: Counts, going: () => boolean): Promise<void> {
  const file = readFileSync(join(dataDir, "s3-credentials.json"), "utf8");
  const credentials = (JSON.parse(file) as { keys: [Credentials] }).keys[0];
  const urls = Array.from({ length: OBJECTS }, (_, index) =>
    presignUrl(
      { method: "GET", url: new URL(`http://127.0.0.1:${port}${pathOf(index)}`), headers: {} },
      { credentials, region: "us-east-1", expiresS: 3600 },
    ),
  );
  while (going()) {
    const { path, offset, length } = place();
    const index = Number(path.slice(path.lastIndexOf("-") + 1));
    const startedMs = performance.now();
    let bytes: Buffer;
    try {
      const answer = await fetch(urls[index] ?? "", { headers: { range: `bytes=${offset}-${offset + length - 1}` } });
      if (answer.status !== 206) throw new Error(`HTTP status ${answer.status}`);
      bytes = Buffer.from(await answer.arrayBuffer());
    } catch {
      // The worker was killed, or the object changed in mid-answer.
      counts.failed++;
      await sleep(10);
      continue;
    }
    counts.s3++;
    check(path, offset, bytes, startedMs, "s3");
  }
}

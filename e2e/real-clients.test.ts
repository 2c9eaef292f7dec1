/**
 * Clients that are not ours read a thousand objects of a real S3 server through the cluster: the right bytes, cold and
 * warm; and the warm pass sends no GET to the server, by the server's side and by the console's. On several workers that
 * share one port and on one, with the pages sent by the addon and without it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  type CountingProxy,
  type Radosgw,
  randomBytes,
  runProcess,
  startCountingProxy,
  startRadosgw,
  waitFor,
} from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

const OBJECTS = 1000;
const BUCKET = "things";
const MIB = 1024 * 1024;

let store: Radosgw;
let counted: CountingProxy;
let cluster: Cluster;
let work: string;
const sums = new Map<string, string>();

/** Sizes from 1 B to 64 MiB: mostly small, some of several pages, with the edges of a page among them. */
function sizeOf(index: number): number {
  const edges = [1, 2, 4095, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB, 8 * MIB + 17, 20 * MIB, 64 * MIB];
  return edges[index] ?? 1 + ((index * 7919) % 65_536);
}

const keyOf = (index: number) => `set-${index % 7}/part ${index % 3}/object+${index}.bin`;

before(async () => {
  work = mkdtempSync(join(tmpdir(), "ringlight-clients-"));
  store = await startRadosgw();
  counted = await startCountingProxy(store.endpoint);
  const direct = new S3Client({
    endpoint: store.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: store,
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  await direct.send(new CreateBucketCommand({ Bucket: BUCKET }));
  let next = 0;
  const upload = async () => {
    for (let index = next++; index < OBJECTS; index = next++) {
      const body = randomBytes(index + 1, sizeOf(index));
      sums.set(keyOf(index), createHash("sha256").update(body).digest("hex"));
      await direct.send(new PutObjectCommand({ Bucket: BUCKET, Key: keyOf(index), Body: body }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, upload));
  direct.destroy();
});

after(async () => {
  await counted?.close();
  await store?.stop();
  rmSync(work, { recursive: true, force: true });
});

/** Checks that a directory holds exactly the thousand objects. */
function assertSame(directory: string): void {
  const found = new Map<string, string>();
  const walk = (at: string) => {
    for (const name of readdirSync(at)) {
      const path = join(at, name);
      if (statSync(path).isDirectory()) walk(path);
      else found.set(relative(directory, path), createHash("sha256").update(readFileSync(path)).digest("hex"));
    }
  };
  walk(directory);
  assert.equal(found.size, sums.size);
  for (const [key, sum] of sums) assert.equal(found.get(key), sum, key);
}

function environment(): Record<string, string | undefined> {
  return {
    HOME: work,
    AWS_ACCESS_KEY_ID: cluster.accessKeyId,
    AWS_SECRET_ACCESS_KEY: cluster.secretAccessKey,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_CA_BUNDLE: undefined,
  };
}

const clients: Record<string, (directory: string) => Promise<string>> = {
  aws: (directory) =>
    runProcess(
      "/usr/bin/aws",
      [
        "--endpoint-url",
        cluster.info().s3Endpoint,
        "s3",
        "cp",
        "--recursive",
        "--only-show-errors",
        `s3://${BUCKET}/`,
        directory,
      ],
      { env: environment(), timeoutMs: 180_000 },
    ),
  rclone: (directory) => {
    const remote = `:s3,provider=Other,env_auth=true,force_path_style=true,endpoint="${cluster.info().s3Endpoint}":${BUCKET}`;
    return runProcess("rclone", ["copy", remote, directory], { env: environment(), timeoutMs: 180_000 });
  },
  s3cmd: (directory) => {
    const host = new URL(cluster.info().s3Endpoint).host;
    return runProcess(
      "s3cmd",
      [
        "--no-ssl",
        `--host=${host}`,
        `--host-bucket=${host}`,
        `--access_key=${cluster.accessKeyId}`,
        `--secret_key=${cluster.secretAccessKey}`,
        "--region=us-east-1",
        "--no-progress",
        "get",
        "--recursive",
        "--force",
        `s3://${BUCKET}/`,
        `${directory}/`,
      ],
      { env: environment(), timeoutMs: 180_000 },
    );
  },
};

async function download(client: string, pass: string): Promise<void> {
  const directory = join(work, `${client}-${pass}`);
  mkdirSync(directory);
  await clients[client]?.(directory);
  assertSame(directory);
  rmSync(directory, { recursive: true });
}

/** GETs that the workers say they sent to the store, summed from what the console shows of each worker. */
async function consoleGets(): Promise<number> {
  const { console: url, workers } = cluster.info();
  let gets = 0;
  for (const { id } of workers) {
    const response = await fetch(`${url}/api/workers/${id}`);
    assert.equal(response.status, 200);
    const { ufs } = (await response.json()) as { ufs: { op: string; count: number }[] };
    for (const { op, count } of ufs) if (op === "get") gets += count;
  }
  return gets;
}

/** Ways to run the cluster, each with the client that reads cold. */
const VARIANTS = [
  { name: "three workers, pages sent by the addon", cold: "aws", workers: 3, sendfile: "auto" },
  { name: "three workers, without the addon", cold: "rclone", workers: 3, sendfile: "off" },
  { name: "one worker, pages sent by the addon", cold: "s3cmd", workers: 1, sendfile: "auto" },
  { name: "one worker, without the addon", cold: "rclone", workers: 1, sendfile: "off" },
];

for (const { name, cold, workers, sendfile } of VARIANTS) {
  describe(name, () => {
    before(async () => {
      const mount = `/${BUCKET}=s3://${BUCKET},endpoint=${counted.endpoint},region=us-east-1,credentials=env:STORE`;
      cluster = await startCluster({
        portOffset: 1000,
        args: ["--workers", String(workers), "--mount", mount],
        env: {
          STORE_ACCESS_KEY_ID: store.accessKeyId,
          STORE_SECRET_ACCESS_KEY: store.secretAccessKey,
          RINGLIGHT_SENDFILE: sendfile,
        },
      });
    });

    after(async () => cluster?.remove());

    test(`${cold} reads a thousand objects with the right bytes, cold`, async () => {
      counted.resetCounts();
      await download(cold, "cold");
      assert.ok(counted.count({ op: "GetObject" }) >= OBJECTS);
    });

    test("the console shows as many GETs to the store as the store has seen", async () => {
      const seen = counted.count({ op: "GetObject" });
      await waitFor(async () => (await consoleGets()) === seen, { timeoutMs: 10_000 });
    });

    for (const client of Object.keys(clients)) {
      test(`${client} reads them warm with the right bytes, and not one GET reaches the store`, async () => {
        counted.resetCounts();
        const before = await consoleGets();
        await download(client, "warm");
        assert.equal(counted.count({ op: "GetObject" }), 0);
        await waitFor(async () => (await consoleGets()) === before, { timeoutMs: 10_000 });
      });
    }
  });
}

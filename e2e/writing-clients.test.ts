/**
 * Clients that are not ours write through the cluster: put, get, range, copy, sync, multipart, delete and list, with odd
 * keys. What they leave in a real S3 server is compared with what they meant to leave, and read through every worker.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CreateBucketCommand, GetObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { type Radosgw, randomBytes, startRadosgw } from "@ringlight/testing";
import { currentAwsCli, filesOf, type Place, WRITING_CLIENTS, type WritingClient } from "./clients/writing-clients.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const BUCKET = "written";
const MIB = 1024 * 1024;

/** Names that have cost somebody a file, with sizes that need no part, one and several. */
const FILES: Readonly<Record<string, number>> = {
  "empty.bin": 0,
  "one.bin": 1,
  "plain/page.bin": MIB,
  "plain/parts.bin": 17 * MIB + 5,
  "odd/a b+c&d=e;f@g,h.txt": 300,
  "odd/per%cent%20%2F.txt": 301,
  "odd/ünï/файл 文.txt": 302,
  "odd/'quoted' (1) [2] {3} ~!$^*.txt": 303,
  "odd/<tag>&amp;.xml": 304,
  "deep/1/2/3/4/5/6/7/8.bin": 5_000,
};

let store: Radosgw;
let direct: S3Client;
let cluster: Cluster;
let work: string;

before(async () => {
  work = mkdtempSync(join(tmpdir(), "ringlight-writing-"));
  store = await startRadosgw();
  direct = new S3Client({
    endpoint: store.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: store,
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  await direct.send(new CreateBucketCommand({ Bucket: BUCKET }));
  cluster = await startCluster({
    portOffset: 1020,
    args: [
      "--no-console",
      "--mount",
      `/${BUCKET}=s3://${BUCKET},endpoint=${store.endpoint},region=us-east-1,credentials=env:STORE`,
    ],
    env: { STORE_ACCESS_KEY_ID: store.accessKeyId, STORE_SECRET_ACCESS_KEY: store.secretAccessKey },
  });
});

after(async () => {
  await cluster?.remove();
  direct?.destroy();
  await store?.stop();
  rmSync(work, { recursive: true, force: true });
});

const sumOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Sums of the objects below a prefix, as a client reads them. */
async function sumsAt(client: S3Client, prefix: string): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  for await (const page of paginateListObjectsV2({ client }, { Bucket: BUCKET, Prefix: prefix })) {
    for (const { Key = "" } of page.Contents ?? []) {
      if (Key.endsWith("/")) continue;
      const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      sums.set(Key.slice(prefix.length), sumOf((await Body?.transformToByteArray()) ?? new Uint8Array()));
    }
  }
  return sums;
}

function sumsIn(directory: string): Map<string, string> {
  return new Map(filesOf(directory).map((file) => [file, sumOf(readFileSync(join(directory, file)))]));
}

function assertSame(found: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>, where: string): void {
  assert.deepEqual([...found.entries()].sort(), [...wanted.entries()].sort(), where);
}

/** The store holds what is wanted, and so says every worker. */
async function assertHeld(prefix: string, wanted: ReadonlyMap<string, string>): Promise<void> {
  assertSame(await sumsAt(direct, prefix), wanted, "the store");
  for (const worker of cluster.info().workers) {
    const client = cluster.s3(worker.s3.startsWith("http") ? worker.s3 : `http://${worker.s3}`);
    assertSame(await sumsAt(client, prefix), wanted, worker.id);
    client.destroy();
  }
}

const current = await currentAwsCli();

for (const [name, open] of [...Object.entries(WRITING_CLIENTS), ...(current === undefined ? [] : [current])]) {
  describe(name, () => {
    const prefix = `${name.toLowerCase().replaceAll(" ", "-")}/`;
    let client: WritingClient;
    let directory: string;
    let seed = 1;

    before(async () => {
      directory = join(work, prefix, "source");
      for (const [file, sizeBytes] of Object.entries(FILES)) {
        mkdirSync(dirname(join(directory, file)), { recursive: true });
        writeFileSync(join(directory, file), randomBytes(seed++, sizeBytes));
      }
      const home = join(work, prefix, "home");
      mkdirSync(home, { recursive: true });
      const place: Place = { ...keysOf(cluster), endpoint: cluster.info().s3Endpoint, bucket: BUCKET, home };
      client = await open(place);
    });

    after(async () => client?.close?.());

    test("writes files of all sizes and names, which are then in the store and at every worker", async () => {
      await client.upload(directory, prefix);
      await assertHeld(prefix, sumsIn(directory));
    });

    test("reads back what it wrote, whole and in part", async () => {
      const target = join(work, prefix, "target");
      mkdirSync(target);
      await client.download(prefix, target);
      assertSame(sumsIn(target), sumsIn(directory), "downloaded");
      const part = await client.range?.(`${prefix}plain/parts.bin`, MIB - 10, 6 * MIB + 9);
      if (part !== undefined) {
        const whole = readFileSync(join(directory, "plain/parts.bin"));
        assert.ok(part.equals(whole.subarray(MIB - 10, 6 * MIB + 10)));
      }
    });

    test("what it writes again is read at every worker at once", async () => {
      writeFileSync(join(directory, "plain/page.bin"), randomBytes(seed++, 2 * MIB));
      writeFileSync(join(directory, "odd/per%cent%20%2F.txt"), randomBytes(seed++, 40));
      writeFileSync(join(directory, "new.bin"), randomBytes(seed++, 41));
      await client.sync(directory, prefix);
      await assertHeld(prefix, sumsIn(directory));
    });

    test("copies and deletes, one object and all", async () => {
      const wanted = sumsIn(directory);
      await client.copy(`${prefix}plain/page.bin`, `${prefix}copied.bin`);
      wanted.set("copied.bin", wanted.get("plain/page.bin") ?? "");
      await client.remove(`${prefix}one.bin`);
      wanted.delete("one.bin");
      await assertHeld(prefix, wanted);
      await client.removeAll(prefix);
      await assertHeld(prefix, new Map());
    });
  });
}

function keysOf({ accessKeyId, secretAccessKey }: Cluster): { accessKeyId: string; secretAccessKey: string } {
  return { accessKeyId, secretAccessKey };
}

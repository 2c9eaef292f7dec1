/** Buckets that S3 clients make, over workers that each take requests. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { isRinglightError, type MountRecord, parseBucketTemplate, RinglightError, systemClock } from "@ringlight/core";
import { BucketMaker } from "./bucket-maker.ts";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const named = (name: string) => (error: Error) => error.name === name;
const text = async (s3: S3Client, Bucket: string, Key: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();

describe("where the operator says what buckets are made of", () => {
  let directory: string;
  let cluster: TestCluster;
  let one: S3Client;
  let other: S3Client;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "ringlight-buckets-"));
    cluster = await startTestCluster(2, [`--buckets=file://${directory}/{bucket}`]);
    one = cluster.s3(0);
    other = cluster.s3(1);
  });

  after(async () => {
    await cluster?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("a bucket is there at every worker once it is made, and gone once it is removed, again and again", async () => {
    for (let round = 0; round < 5; round++) {
      await one.send(new CreateBucketCommand({ Bucket: "fresh-bucket" }));
      assert.ok(existsSync(join(directory, "fresh-bucket")));
      await other.send(new PutObjectCommand({ Bucket: "fresh-bucket", Key: "key", Body: `round ${round}` }));
      assert.equal(await text(one, "fresh-bucket", "key"), `round ${round}`);
      const { Buckets } = await other.send(new ListBucketsCommand({}));
      assert.deepEqual(
        Buckets?.map(({ Name }) => Name),
        ["fresh-bucket"],
      );
      await assert.rejects(one.send(new DeleteBucketCommand({ Bucket: "fresh-bucket" })), named("BucketNotEmpty"));
      await one.send(new DeleteObjectCommand({ Bucket: "fresh-bucket", Key: "key" }));
      await other.send(new DeleteBucketCommand({ Bucket: "fresh-bucket" }));
      assert.ok(!existsSync(join(directory, "fresh-bucket")));
      await assert.rejects(one.send(new HeadBucketCommand({ Bucket: "fresh-bucket" })), named("NotFound"));
      await assert.rejects(text(one, "fresh-bucket", "key"), named("NoSuchBucket"));
      await assert.rejects(one.send(new DeleteBucketCommand({ Bucket: "fresh-bucket" })), named("NoSuchBucket"));
    }
  });

  test("one that is made twice stays what it is, also when two workers are asked at once", async () => {
    await Promise.all([one, other].map((s3) => s3.send(new CreateBucketCommand({ Bucket: "twice" }))));
    await one.send(new PutObjectCommand({ Bucket: "twice", Key: "key", Body: "kept" }));
    await other.send(new CreateBucketCommand({ Bucket: "twice" }));
    assert.equal(await text(other, "twice", "key"), "kept");
  });

  test("a directory that an operator has mounted is not removed, empty or not", async () => {
    const mounted = join(directory, "mounted");
    mkdirSync(mounted);
    await cluster.mount("mounted", { uri: `file://${mounted}`, options: {}, readOnly: false });
    await assert.rejects(one.send(new DeleteBucketCommand({ Bucket: "mounted" })), named("AccessDenied"));
    await one.send(new PutObjectCommand({ Bucket: "mounted", Key: "key", Body: "kept" }));
    await assert.rejects(other.send(new DeleteBucketCommand({ Bucket: "mounted" })), named("AccessDenied"));
    assert.equal(await text(other, "mounted", "key"), "kept");
  });

  test("what somebody else keeps there is not handed out", async () => {
    mkdirSync(join(directory, "private"));
    await assert.rejects(one.send(new CreateBucketCommand({ Bucket: "private" })), named("BucketAlreadyExists"));
    await assert.rejects(one.send(new HeadBucketCommand({ Bucket: "private" })), named("NotFound"));
  });
});

describe("where buckets are made in a store", () => {
  let cluster: TestCluster;
  let s3: S3Client;

  before(async () => {
    cluster = await startTestCluster(1, ({ endpoint }) => [
      `--buckets=s3://made-{bucket},endpoint=${endpoint},credentials=anonymous`,
    ]);
    s3 = cluster.s3(0);
  });

  after(() => cluster?.close());

  test("the store's own buckets are made and removed", async () => {
    await s3.send(new CreateBucketCommand({ Bucket: "new" }));
    await s3.send(new PutObjectCommand({ Bucket: "new", Key: "key", Body: "text" }));
    assert.equal(cluster.origin.object("made-new", "key")?.sizeBytes, 4);
    await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket: "new" })), named("BucketNotEmpty"));
    await s3.send(new DeleteObjectCommand({ Bucket: "new", Key: "key" }));
    await s3.send(new DeleteBucketCommand({ Bucket: "new" }));
    await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: "new" })), named("NotFound"));
  });

  test("a bucket of the store that is there already is not handed out", async () => {
    cluster.origin.createBucket("made-private");
    await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: "private" })), named("BucketAlreadyExists"));
  });

  test("one that is gone from the store is NoSuchBucket, and can be removed", async () => {
    await s3.send(new CreateBucketCommand({ Bucket: "lost" }));
    await fetch(`${cluster.origin.endpoint}/made-lost`, { method: "DELETE" });
    await assert.rejects(s3.send(new ListObjectsV2Command({ Bucket: "lost" })), named("NoSuchBucket"));
    await s3.send(new DeleteBucketCommand({ Bucket: "lost" }));
    await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: "lost" })), named("NotFound"));
  });
});

describe("where the operator says nothing", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await startTestCluster(1);
  });

  after(() => cluster?.close());

  test("CreateBucket is AccessDenied", async () => {
    await assert.rejects(cluster.s3(0).send(new CreateBucketCommand({ Bucket: "mine" })), named("AccessDenied"));
  });
});

test("two workers that are asked for a bucket in the same millisecond make it once, and it stays", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-buckets-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const mounts = new Map<string, string>();
  const registry = {
    // As the registry does it: what is there already and the same was an attempt of ours.
    addMount: async (mount: MountRecord) => {
      const text = JSON.stringify(mount);
      if ((mounts.get(mount.name) ?? text) !== text) throw new RinglightError("RL_MOUNT_EXISTS", mount.name);
      mounts.set(mount.name, text);
    },
    removeMount: async (name: string) => {
      mounts.delete(name);
    },
  };
  const clock = { ...systemClock, now: () => 1_800_000_000_000 };
  const template = parseBucketTemplate(`file://${directory}/{bucket}`);
  const maker = () =>
    new BucketMaker({ registry, template, clock, ufsTimeoutMs: 5_000, tell: () => Promise.resolve() });
  const call = { signal: new AbortController().signal };
  const made = await Promise.allSettled([maker(), maker()].map((one) => one.make("same", call)));
  const refused = made.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 1);
  assert.ok(refused[0]?.status === "rejected" && isRinglightError(refused[0].reason, "RL_MOUNT_EXISTS"));
  assert.deepEqual([...mounts.keys()], ["same"]);
  assert.ok(existsSync(join(directory, "same")));
});

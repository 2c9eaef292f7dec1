import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type ObjectMeta, RinglightError, systemClock, type WorkerRecord } from "@ringlight/core";
import { randomBytes, waitFor } from "@ringlight/testing";
import { MetadataCache } from "./metadata-cache.ts";
import { PAUSE_MS, PauseWatch } from "./pause-watch.ts";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";
import { Upload } from "./test-upload.ts";
import { FENCE_MS, WriteNotices } from "./write-notices.ts";

describe("a write through any worker", () => {
  let cluster: TestCluster;
  let clients: S3Client[];
  before(async () => {
    cluster = await startTestCluster(3, ["--page-size=64KiB"]);
    clients = [0, 1, 2].map((index) => cluster.s3(index));
    for (const bucket of ["written", "forever", "sealed", "other", "cached"]) cluster.origin.createBucket(bucket);
    await cluster.mount("written", { readOnly: false });
    await cluster.mount("forever", { readOnly: false, freshness: { kind: "immutable" } });
    await cluster.mount("sealed");
    await cluster.mount("other", { readOnly: false });
    const options = { endpoint: cluster.origin.endpoint, region: "us-east-1", "write-cache": "true" };
    await cluster.mount("cached", { readOnly: false, options });
  });
  after(async () => {
    for (const client of clients ?? []) client.destroy();
    await cluster?.close();
  });
  const at = (index: number) => clients[index % 3] ?? cluster.s3(0);
  const get = async (index: number, Bucket: string, Key: string) => {
    const answer = await at(index).send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
  };

  for (const Bucket of ["written", "forever"]) {
    it(`is seen at every worker when it is acknowledged, whatever was remembered (${Bucket})`, async () => {
      for (const Key of ["a", "b/c", "d e&f"]) {
        for (const worker of [0, 1, 2]) await assert.rejects(get(worker, Bucket, Key), { name: "NoSuchKey" });
        for (const writer of [0, 1, 2]) {
          const Body = `version ${writer} of ${Key}`;
          await at(writer).send(new PutObjectCommand({ Bucket, Key, Body }));
          for (const reader of [0, 1, 2]) assert.equal((await get(reader, Bucket, Key)).toString(), Body);
        }
        await at(1).send(new CopyObjectCommand({ Bucket, Key: `${Key}-copy`, CopySource: `${Bucket}/a` }));
        for (const reader of [0, 1, 2])
          assert.equal((await get(reader, Bucket, `${Key}-copy`)).toString(), "version 2 of a");
        if (Key !== "a") await at(2).send(new DeleteObjectCommand({ Bucket, Key }));
        for (const reader of [0, 1, 2]) {
          if (Key !== "a") await assert.rejects(get(reader, Bucket, Key), { name: "NoSuchKey" });
        }
      }
      const Delete = { Objects: [{ Key: "a" }, { Key: "a-copy" }] };
      await at(0).send(new DeleteObjectsCommand({ Bucket, Delete }));
      for (const reader of [0, 1, 2]) await assert.rejects(get(reader, Bucket, "a-copy"), { name: "NoSuchKey" });
    });
  }

  it("of parts is seen when the upload is completed, and its tags and settings too", async () => {
    const upload = new Upload(at(0), "written", "parts");
    const body = randomBytes(7, 6_000_000);
    await upload.send(body, 5 * 1024 * 1024, { ContentType: "text/parts", Metadata: { colour: "red" } });
    for (const reader of [0, 1, 2]) {
      assert.ok((await get(reader, "written", "parts")).equals(body));
      const head = await at(reader).send(new HeadObjectCommand({ Bucket: "written", Key: "parts" }));
      assert.deepEqual([head.ContentType, head.Metadata], ["text/parts", { colour: "red" }]);
    }
    const Tagging = { TagSet: [{ Key: "a", Value: "b" }] };
    await at(1).send(new PutObjectTaggingCommand({ Bucket: "written", Key: "parts", Tagging }));
    assert.equal(cluster.origin.object("written", "parts")?.tags.get("a"), "b");
  });

  it("copies between mounts, with what goes with the object", async () => {
    const input = { Bucket: "written", Key: "source", Body: randomBytes(1, 300_000), Metadata: { x: "y" } };
    await at(0).send(new PutObjectCommand(input));
    await at(1).send(new CopyObjectCommand({ Bucket: "other", Key: "target", CopySource: "written/source" }));
    assert.ok((await get(2, "other", "target")).equals(input.Body));
    const head = await at(2).send(new HeadObjectCommand({ Bucket: "other", Key: "target" }));
    assert.deepEqual(head.Metadata, { x: "y" });
  });

  it("is refused on a read-only mount, and leaves the old object when it fails", async () => {
    const put = (Bucket: string, Body: string | Buffer) => at(0).send(new PutObjectCommand({ Bucket, Key: "k", Body }));
    await assert.rejects(put("sealed", "x"), { name: "AccessDenied" });
    await put("written", "old");
    cluster.origin.cutUpload({ op: "PutObject" }, 1_000_000, { times: 1 });
    await assert.rejects(put("written", randomBytes(1, 3_000_000)));
    assert.equal((await get(1, "written", "k")).toString(), "old");
    cluster.origin.loseAnswer({ op: "PutObject" }, { times: 1 });
    const large = randomBytes(2, 3_000_000);
    await assert.rejects(put("written", large));
    for (const reader of [0, 1, 2]) assert.ok((await get(reader, "written", "k")).equals(large), "the store has it");
    await assert.rejects(at(0).send(new CreateBucketCommand({ Bucket: "nobody-made-it" })), { name: "AccessDenied" });
    await at(0).send(new CreateBucketCommand({ Bucket: "written" }));
    assert.ok((await get(1, "written", "k")).equals(large), "what is there already stays");
  });

  it("is in the cache a moment later where the mount says so", async () => {
    await at(0).send(new PutObjectCommand({ Bucket: "cached", Key: "warm", Body: randomBytes(3, 200_000) }));
    await waitFor(
      () => cluster.origin.requests.some((row) => row.key === "warm" && row.op === "GetObject" && row.bytes > 0),
      {
        timeoutMs: 5_000,
      },
    );
    await get(1, "cached", "warm");
    cluster.origin.resetCounts();
    await get(2, "cached", "warm");
    assert.equal(cluster.origin.count({ bucket: "cached" }), 0);
  });
});

describe("metadata that was asked for before a write", () => {
  it("is not remembered after it", async () => {
    const metadata = new MetadataCache({ clock: systemClock, negativeTtlMs: 60_000, onReplaced: () => undefined });
    const answers: PromiseWithResolvers<ObjectMeta>[] = [];
    const ufs = {
      head: () => {
        const answer = Promise.withResolvers<ObjectMeta>();
        answers.push(answer);
        return answer.promise;
      },
    };
    const immutable = { kind: "immutable" } as const;
    const version = (etag: string): ObjectMeta => ({ sizeBytes: 1, version: etag, etag, modifiedMs: 0 });
    const early = metadata.get("m", "k", immutable, ufs);
    metadata.forget("m", "k");
    const late = metadata.get("m", "k", immutable, ufs);
    assert.equal(answers.length, 2, "a reader that comes after the write asks for itself");
    answers[1]?.resolve(version("new"));
    assert.equal((await late).version, "new");
    answers[0]?.resolve(version("old"));
    assert.equal((await early).version, "old");
    assert.equal((await metadata.get("m", "k", immutable, ufs)).version, "new");
    const missing = metadata.get("m", "gone", immutable, ufs);
    metadata.forget("m", "gone");
    answers[2]?.reject(new RinglightError("RL_NOT_FOUND", "none"));
    await assert.rejects(missing);
    assert.equal(metadata.peek("m", "gone"), undefined);
  });

  it("is not believed after the process stood still, or had no lease", () => {
    let nowMs = 0;
    const watch = new PauseWatch(() => nowMs);
    assert.ok(watch.resumedMs() < 0);
    nowMs += PAUSE_MS - 1;
    assert.ok(watch.resumedMs() < 0);
    nowMs += PAUSE_MS + 1;
    assert.equal(watch.resumedMs(), nowMs);
    assert.equal(watch.pauses, 1);
    watch.setMember(false);
    assert.equal(watch.resumedMs(), Number.POSITIVE_INFINITY);
    nowMs += 10;
    watch.setMember(true);
    assert.equal(watch.resumedMs(), nowMs, "what was learned without a lease is not believed either");
    watch.distrust();
    assert.equal(watch.resumedMs(), Number.POSITIVE_INFINITY);
    watch.close();
  });
});

describe("notices of writes", () => {
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) server.close().closeAllConnections();
  });
  const peer = (id: string, port: number): WorkerRecord => ({
    id,
    addresses: { rest: `127.0.0.1:${port}`, grpc: "", s3: "" },
    weight: 1,
    version: "",
    startedMs: 0,
    hostname: "",
    pid: 0,
  });
  const listen = async (handler: Parameters<typeof createServer>[1]): Promise<number> => {
    const server = createServer(handler);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  };

  it("go together while a worker is busy with one, and are waited for", async () => {
    const batches: string[] = [];
    const port = await listen((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      request.on("end", () => {
        batches.push(body);
        setImmediate(() => response.end());
      });
    });
    const notices = new WriteNotices({ token: "t", clock: systemClock, onSilent: () => assert.fail() });
    await Promise.all(
      Array.from({ length: 50 }, (_, n) => notices.tell([peer("w", port)], [{ mount: "m", key: `${n}` }])),
    );
    assert.ok(batches.length < 10, String(batches.length));
    const told = batches.flatMap((batch) => (JSON.parse(batch) as { written: [string, string][] }).written);
    assert.deepEqual(
      told.map(([, key]) => Number(key)),
      Array.from({ length: 50 }, (_, n) => n),
    );
    notices.close();
  });

  it("do not wait for a worker that is not there, and only so long for one that is silent", async () => {
    const silentPort = await listen(() => undefined);
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const silent: string[] = [];
    const notices = new WriteNotices({ token: undefined, clock: systemClock, onSilent: (id) => silent.push(id) });
    let began = performance.now();
    await notices.tell([peer("gone", port)], [{ mount: "m", key: "k" }]);
    assert.ok(performance.now() - began < FENCE_MS / 2);
    began = performance.now();
    await notices.tell([peer("silent", silentPort)], [{ mount: "m", key: "k" }]);
    assert.ok(performance.now() - began >= FENCE_MS - 1);
    assert.deepEqual(silent, ["silent"]);
    const waiting = notices.tell([peer("silent", silentPort)], [{ mount: "m", key: "k" }]);
    notices.close();
    await waiting;
  });
});

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { isRinglightError, type UfsObservation } from "@ringlight/core";
import { type CountingProxy, type Radosgw, startCountingProxy, startRadosgw } from "@ringlight/testing";
import { openUfs } from "./index.ts";
import { collect, ufsContract } from "./ufs-contract.ts";
import { ufsWriteContract } from "./ufs-write-contract.ts";

describe("s3:// on Ceph's radosgw", () => {
  let gateway: Radosgw;
  let proxy: CountingProxy;
  let s3: S3Client;
  const env = () => ({ T_ACCESS_KEY_ID: gateway.accessKeyId, T_SECRET_ACCESS_KEY: gateway.secretAccessKey });

  before(async () => {
    gateway = await startRadosgw();
    proxy = await startCountingProxy(gateway.endpoint);
    s3 = new S3Client({ endpoint: gateway.endpoint, region: "us-east-1", credentials: gateway, forcePathStyle: true });
  });
  after(async () => {
    s3?.destroy();
    await proxy?.close();
    await gateway?.stop();
  });

  let buckets = 0;
  for (const addressing of ["path", "virtual"] as const) {
    const root = addressing === "path" ? "some/prefix/" : "";
    ufsContract(`radosgw with ${addressing} addressing`, async () => {
      const Bucket = `bucket-${++buckets}`;
      await s3.send(new CreateBucketCommand({ Bucket }));
      if (root !== "") await s3.send(new PutObjectCommand({ Bucket, Key: root, Body: Buffer.alloc(0) }));
      const observations: UfsObservation[] = [];
      const endpoint = addressing === "path" ? proxy.endpoint : `http://localhost:${gateway.port}`;
      const ufs = await openUfs(
        { uri: `s3://${Bucket}/${root}`, options: { endpoint, addressing }, credentials: { kind: "env", prefix: "T" } },
        { maxConnections: 4, env: env(), observe: (observation) => observations.push(observation) },
      );
      return {
        ufs,
        observations,
        put: async (key, bytes) => {
          await s3.send(new PutObjectCommand({ Bucket, Key: root + key, Body: bytes }));
        },
        delete: async (key) => {
          await s3.send(new DeleteObjectCommand({ Bucket, Key: root + key }));
        },
        close: () => ufs.close(),
      };
    });
  }

  ufsWriteContract("radosgw", async () => {
    const Bucket = `writes-${++buckets}`;
    await s3.send(new CreateBucketCommand({ Bucket }));
    const ufs = await openUfs(
      {
        uri: `s3://${Bucket}/pre/fix`,
        options: { endpoint: proxy.endpoint },
        credentials: { kind: "env", prefix: "T" },
      },
      { env: env() },
    );
    return {
      ufs,
      minPartBytes: 5 * 1024 * 1024,
      keepsTags: true,
      leavesOutParts: false,
      conditionalDeletes: false,
      close: () => ufs.close(),
    };
  });

  it("sends one GET a read and tells metadata and refusals as they are", async () => {
    const Bucket = "facts";
    await s3.send(new CreateBucketCommand({ Bucket }));
    const stored = { ContentType: "text/csv", Metadata: { colour: "red" }, CacheControl: "no-cache" };
    await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "0123456789", ...stored }));
    const mount = { uri: `s3://${Bucket}`, options: { endpoint: proxy.endpoint } };
    const ufs = await openUfs({ ...mount, credentials: { kind: "env", prefix: "T" } }, { env: env() });
    const meta = await ufs.head("k");
    assert.equal(meta.contentType, "text/csv");
    assert.equal(meta.cacheControl, "no-cache");
    assert.deepEqual(meta.userMetadata, { colour: "red" });
    proxy.resetCounts();
    assert.equal((await collect((await ufs.read("k", meta.version, { start: 2, end: 4 })).stream)).toString(), "234");
    assert.equal(proxy.count({ op: "GetObject", bucket: Bucket }), 1);
    await ufs.close();
    const wrong = { T_ACCESS_KEY_ID: gateway.accessKeyId, T_SECRET_ACCESS_KEY: "no-such-secret" };
    const stranger = await openUfs({ ...mount, credentials: { kind: "env", prefix: "T" } }, { env: wrong });
    await assert.rejects(stranger.check(), (error) => isRinglightError(error, "RL_UFS_DENIED"));
    await assert.rejects(stranger.head("k"), (error) => isRinglightError(error, "RL_UFS_DENIED"));
    await stranger.close();
    const lost = await openUfs(
      { ...mount, uri: "s3://no-such-bucket", credentials: { kind: "env", prefix: "T" } },
      { env: env() },
    );
    await assert.rejects(lost.check(), /bucket "no-such-bucket" does not exist/);
    await lost.close();
  });
});

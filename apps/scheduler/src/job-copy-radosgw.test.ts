/** Copies into Ceph's radosgw, by real workers of which one is killed in the middle. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CreateBucketCommand, GetObjectCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { type CountingProxy, type Radosgw, startCountingProxy, startRadosgw, waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const MIB = 1024 * 1024;
const BUCKET = "copies";
const PARTS = 7;
let gateway: Radosgw;
let proxy: CountingProxy;
let s3: S3Client;
let cluster: JobCluster;

before(async () => {
  gateway = await startRadosgw();
  proxy = await startCountingProxy(gateway.endpoint);
  s3 = new S3Client({ endpoint: gateway.endpoint, region: "us-east-1", credentials: gateway, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  // The workers get their environment from this process.
  process.env.COPIES_ACCESS_KEY_ID = gateway.accessKeyId;
  process.env.COPIES_SECRET_ACCESS_KEY = gateway.secretAccessKey;
  cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: ["--mem=64MiB", "--ssd=0"] });
  await cluster.mount("from");
  await cluster.mount("into", {
    ...{ uri: `s3://${BUCKET}`, readOnly: false, credentials: { kind: "env", prefix: "COPIES" } },
    options: { endpoint: proxy.endpoint, region: "us-east-1" },
  });
});
after(async () => {
  await cluster?.close();
  s3?.destroy();
  await proxy?.close();
  await gateway?.stop();
});

const sentParts = () => proxy.requests.filter(({ op, status }) => op === "UploadPart" && status === 200).length;

test("a large copy goes on at another worker when its own is killed, with the parts that the store has", async () => {
  cluster.origin.putObject("from", "large", { sizeBytes: PARTS * 32 * MIB - 12_345, seed: 7 });
  // Slow enough to be killed in the middle: three parts a second at the most.
  const spec = { kind: "copy", paths: ["/from/large"], target: "/into/large", bytesPerSecond: 100 * MIB };
  const { id } = await cluster.submit(spec);
  const noted = async () => (await cluster.registry.listUploads())[0];
  const killed = await waitFor(async () => (sentParts() >= 4 ? noted() : undefined), {
    ...{ timeoutMs: 120_000, intervalMs: 5, what: "four parts, and a note of their upload" },
  });
  cluster.processes.get(killed?.workerId ?? "")?.signal("SIGKILL");
  const job = await cluster.end(id, 120_000);
  assert.deepEqual([job.state, job.loaded?.objects], ["complete", 1], job.reason);
  assert.ok(cluster.processes.get(killed?.workerId ?? "")?.exit !== undefined, "the worker was killed in the middle");
  assert.equal(proxy.count({ op: "CreateMultipartUpload" }), 1, "one upload by both workers");
  const parts = sentParts();
  assert.ok(parts < PARTS + 4, `${parts} parts were sent for ${PARTS}`);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "large" }));
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
  assert.ok(bytes.equals(cluster.origin.bytesOf("from", "large")));
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
  assert.equal(Uploads, undefined, "no upload is left");
});

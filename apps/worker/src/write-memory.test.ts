/** An upload of any size passes through a worker in little memory. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { it } from "node:test";
import { signRequest, UNSIGNED_PAYLOAD } from "@ringlight/sigv4";
import { startS3Origin } from "@ringlight/testing";
import { startTestCluster } from "./test-cluster.ts";

/** 1 GiB is the full size; the suite sends a quarter of it. */
const UPLOAD_BYTES = Number(process.env.RINGLIGHT_UPLOAD_BYTES ?? 256 * 1024 * 1024);
/** Client, worker and store are one process here: what all of them hold together. */
const GROWTH_BYTES = 160 * 1024 * 1024;

it("an upload streams through the worker, in little memory", async () => {
  const origin = await startS3Origin({ discardBodies: true });
  const cluster = await startTestCluster(1);
  try {
    origin.createBucket("bkt");
    await cluster.mount("bkt", { readOnly: false, options: { endpoint: origin.endpoint, region: "us-east-1" } });
    const client = cluster.s3(0);
    const { accessKeyId, secretAccessKey } = await client.config.credentials();
    client.destroy();
    const host = cluster.workers[0]?.record.addresses.s3 ?? "";
    const [hostname, port] = host.split(":");
    const headers = signRequest(
      { method: "PUT", url: { host, rawUrl: "/bkt/large" }, headers: {} },
      { credentials: { accessKeyId, secretAccessKey }, region: "us-east-1", payloadHash: UNSIGNED_PAYLOAD },
    );
    const piece = Buffer.alloc(64 * 1024, "x");
    const before = process.memoryUsage().rss;
    let highest = before;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(
        {
          hostname,
          port,
          method: "PUT",
          path: "/bkt/large",
          setHost: false,
          headers: { ...headers, "content-length": UPLOAD_BYTES },
        },
        (response) => response.resume().once("end", () => resolve(response.statusCode)),
      );
      sent.once("error", reject);
      let bytes = 0;
      const pump = () => {
        while (bytes < UPLOAD_BYTES) {
          bytes += piece.length;
          if (bytes % (8 * 1024 * 1024) === 0) highest = Math.max(highest, process.memoryUsage().rss);
          if (!sent.write(piece)) {
            sent.once("drain", pump);
            return;
          }
        }
        sent.end();
      };
      pump();
    });
    assert.equal(status, 200);
    assert.equal(origin.object("bkt", "large")?.sizeBytes, UPLOAD_BYTES);
    const growth = highest - before;
    assert.ok(growth < GROWTH_BYTES, `the process grew by ${Math.round(growth / 1024 / 1024)} MiB`);
  } finally {
    await cluster.close();
    await origin.close();
  }
});

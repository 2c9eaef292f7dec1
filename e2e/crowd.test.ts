/** Two hundred readers ask for one large object at once, and the store is asked for each of its bytes once. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { presignUrl } from "@ringlight/sigv4";
import { type S3Origin, startS3Origin } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

const BUCKET = "crowd";
const KEY = "model.safetensors";
const SIZE_BYTES = 64 * 1024 * 1024;
const READERS = 200;

let origin: S3Origin;
let cluster: Cluster;

before(async () => {
  origin = await startS3Origin();
  origin.putObject(BUCKET, KEY, { sizeBytes: SIZE_BYTES, seed: 64 });
});

after(async () => {
  await origin?.close();
});

/** Reads a URL and compares it piece by piece. @returns the number of bytes */
function compare(url: URL, expected: Buffer, agent: Agent): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request(url, { agent }, (response) => {
    let at = 0;
    response.on("data", (chunk: Buffer) => {
      if (!chunk.equals(expected.subarray(at, at + chunk.length))) reject(new Error(`wrong bytes behind ${at}`));
      at += chunk.length;
    });
    response.once("error", reject);
    response.once("end", () => resolve(at));
  });
  sent.once("error", reject).end();
  return promise;
}

for (const workers of [3, 1]) {
  describe(`${workers} worker${workers > 1 ? "s" : ""}`, () => {
    before(async () => {
      const mount = `/${BUCKET}=s3://${BUCKET},endpoint=${origin.endpoint},credentials=anonymous`;
      cluster = await startCluster({
        portOffset: 1080,
        args: ["--no-console", "--workers", String(workers), "--mount", mount],
      });
    });

    after(async () => cluster?.remove());

    test("two hundred concurrent cold readers of a 64 MiB object: the right bytes, and each byte from the store once", async () => {
      const expected = origin.bytesOf(BUCKET, KEY);
      const { s3Endpoint } = cluster.info();
      const url = presignUrl(
        { method: "GET", url: new URL(`${s3Endpoint}/${BUCKET}/${KEY}`), headers: {} },
        { credentials: cluster, region: "us-east-1", expiresS: 3600 },
      );
      origin.resetCounts();
      const agent = new Agent({ maxSockets: READERS });
      const readers = Array.from({ length: READERS }, () => compare(url, expected, agent));
      const sizes = await Promise.all(readers).catch((cause: unknown) => {
        throw new Error(`${String(cause)}; what the cluster said:\n${complaints()}`, { cause });
      });
      agent.destroy();
      assert.deepEqual(new Set(sizes), new Set([SIZE_BYTES]));
      const gets = origin.requests.filter(({ op }) => op === "GetObject");
      assert.equal(
        gets.reduce((sum, { bytes }) => sum + bytes, 0),
        SIZE_BYTES,
        `the store was asked more than once; what the cluster said:\n${complaints()}`,
      );
    });
  });
}

/** Lines of the processes' logs that are no mere information. */
function complaints(): string {
  const directory = join(cluster.dataDir, "logs");
  return readdirSync(directory)
    .flatMap((file) => readFileSync(join(directory, file), "utf8").split("\n"))
    .filter((line) => /"level":"(warn|error)"/i.test(line))
    .slice(0, 40)
    .join("\n");
}

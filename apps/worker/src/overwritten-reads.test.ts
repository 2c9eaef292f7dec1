/** Answers that are on their way when their object is replaced: each is finished with the bytes of the version that it began with. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get as httpGet, type IncomingMessage } from "node:http";
import { after, describe, it } from "node:test";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { randomBytes, waitFor } from "@ringlight/testing";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";
import { VersionHolds } from "./version-holds.ts";

const MIB = 1024 * 1024;
const LENGTH = 12 * MIB;
/** Answers that ask for the connection's end are not sent from page files. */
const agent = new Agent({ keepAlive: true });

/** Begins a read and takes nothing of its body yet. */
async function begin(cluster: TestCluster, worker: number, key: string): Promise<IncomingMessage> {
  const [response] = (await once(httpGet(cluster.presigned(worker, "bkt", key), { agent }), "response")) as [
    IncomingMessage,
  ];
  assert.equal(response.statusCode, 200);
  return response;
}

async function rest(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

const relayedBytes = ({ workers }: TestCluster) =>
  workers.reduce((sum, worker) => sum + worker.stats().relayedBytes, 0);

const read = async (cluster: TestCluster, worker: number, key: string) => rest(await begin(cluster, worker, key));

after(() => agent.destroy());

describe("an answer on its way when its object is replaced", () => {
  it("is finished with the version that it began with: own pages, a sibling's, relayed ones, and bytes just fetched", async () => {
    const cluster = await startTestCluster(2);
    const client = cluster.s3(0);
    try {
      cluster.origin.createBucket("bkt");
      await cluster.mount("bkt", { readOnly: false });
      for (const [round, key] of ["a", "b"].entries()) {
        const before = randomBytes(2 * round + 1, LENGTH);
        const after = randomBytes(2 * round + 2, 100_000);
        const put = (Body: Buffer) => client.send(new PutObjectCommand({ Bucket: "bkt", Key: key, Body }));
        await put(before);
        // Cold and relayed at first, and then from pages: here, and under a lease where the sibling owns them.
        const begun = [await begin(cluster, 0, key), await begin(cluster, 1, key)];
        await waitFor(
          async () => {
            const relayed = relayedBytes(cluster);
            for (const worker of [0, 1]) assert.ok((await read(cluster, worker, key)).equals(before));
            return relayedBytes(cluster) === relayed;
          },
          { timeoutMs: 20_000 },
        );
        begun.push(await begin(cluster, 0, key), await begin(cluster, 1, key));
        if (round % 2 === 0) await put(after);
        else await client.send(new DeleteObjectCommand({ Bucket: "bkt", Key: key }));
        // Somebody asks for the object again, so that the workers learn what became of it and let go of the old pages.
        for (const worker of [0, 1]) {
          if (round % 2 === 0) assert.ok((await read(cluster, worker, key)).equals(after));
          else await assert.rejects(begin(cluster, worker, key), /404/);
        }
        // The owner's own readers first, for as long as there are some it keeps the pages for all.
        const isOwners = ({ headers }: IncomingMessage) =>
          String(headers["cache-status"]).endsWith(`served-by="${headers["x-amz-id-2"]}"`);
        assert.ok(begun.some(isOwners) && !begun.every(isOwners));
        for (const response of begun.sort((a, b) => Number(isOwners(b)) - Number(isOwners(a)))) {
          assert.ok((await rest(response)).equals(before));
        }
      }
      const held = () =>
        cluster.workers
          .flatMap((worker) => worker.stats().tiers)
          .reduce((sum, tier) => sum + Number(tier.usedBytes), 0);
      await waitFor(() => held() < LENGTH, { timeoutMs: 10_000 });
    } finally {
      client.destroy();
      await cluster.close();
    }
  });

  it("begins only when the whole of a short range can be had, so that a store that has another version cuts nobody off", async () => {
    const cluster = await startTestCluster(2, ["--page-size=64KiB"]);
    try {
      cluster.origin.createBucket("bkt");
      await cluster.mount("bkt");
      const page = 64 * 1024;
      for (const [at, missing] of [1, 3, 6].entries()) {
        const key = `k${at}`;
        const before = randomBytes(at + 10, 7 * page - 100);
        const after = randomBytes(at + 20, 7 * page - 50);
        cluster.origin.putObject("bkt", key, before);
        for (let index = 0; index < 7; index++) {
          if (index === missing) continue;
          const range = `bytes=${index * page + 10}-${index * page + 20}`;
          const url = cluster.presigned(at % 2, "bkt", key);
          const [response] = (await once(httpGet(url, { headers: { range } }), "response")) as [IncomingMessage];
          assert.ok((await rest(response)).equals(before.subarray(index * page + 10, index * page + 21)));
        }
        // Past the workers, which go on believing what they know; all but one page of it is here.
        cluster.origin.putObject("bkt", key, after);
        for (const worker of [0, 1]) assert.ok((await read(cluster, worker, key)).equals(after));
      }
    } finally {
      await cluster.close();
    }
  });

  it("keeps the pages of its version, and nobody else's, until it has ended", () => {
    const dropped: string[] = [];
    const holds = new VersionHolds((version) => dropped.push(version));
    const [first, second, other] = [holds.hold("v1"), holds.hold("v1"), holds.hold("v2")];
    holds.replaced("v0");
    holds.replaced("v1");
    assert.deepEqual(dropped, ["v0"]);
    first();
    first();
    assert.deepEqual(dropped, ["v0"]);
    second();
    other();
    assert.deepEqual(dropped, ["v0", "v1"]);
    assert.equal(holds.size, 0);
  });
});

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { isRinglightError, RinglightError, segmentKey } from "@ringlight/core";
import { ObjectVersion } from "@ringlight/proto";
import { FakeCluster } from "./fake-worker.ts";
import { type ConnectOptions, connect, type ReadHandle, type RinglightClient, runBytes, uniteRuns } from "./index.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(
  workers: number,
  options: ConstructorParameters<typeof FakeCluster>[0] = {},
  connecting: Partial<ConnectOptions> = {},
) {
  const fake = new FakeCluster(options);
  closers.push(() => fake.close());
  const endpoints = await fake.start(workers);
  const client = await connect({ endpoints, token: options.token, ...connecting });
  closers.push(() => client.close());
  return { fake, client, endpoints };
}

/** Bytes that differ everywhere, so that a misplaced piece shows. */
function content(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
  return bytes;
}

async function collect({ stream }: ReadHandle): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function fails(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isRinglightError(error), String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

async function ownerOf(client: RinglightClient, path: string, segment = 0): Promise<string> {
  const [, mount = "", key = ""] = /^\/([^/]+)\/(.*)$/.exec(path) ?? [];
  return (await client.ring()).owners(segmentKey(mount, key, segment), 1)[0] ?? "";
}

describe("connect", () => {
  it("learns the cluster from any endpoint that answers", async () => {
    const { fake, endpoints } = await setUp(2);
    const client = await connect({ endpoints: ["127.0.0.1:1", ...endpoints] });
    closers.push(() => client.close());
    assert.equal((await client.cluster()).name, "test");
    const ring = await client.ring();
    assert.deepEqual(
      ring.members.map(({ id }) => id),
      ["w1", "w2"],
    );
    assert.equal(ring.epoch, fake.epoch);
  });

  it("says that nobody answers, naming the endpoints; that the token is wrong; that there is no endpoint", async () => {
    await assert.rejects(connect({ endpoints: ["127.0.0.1:1"] }), /RL_NO_WORKERS|no worker answers at 127\.0\.0\.1:1/);
    await fails(connect({ endpoints: ["127.0.0.1:1"] }), "RL_NO_WORKERS");
    await fails(connect({ endpoints: [] }), "RL_BAD_REQUEST");
    const { endpoints } = await setUp(1, { token: "right" });
    await fails(connect({ endpoints, token: "wrong" }), "RL_UNAUTHENTICATED");
  });

  it("does not hold on to a view in which nobody is alive", async () => {
    const { fake, endpoints } = await setUp(1);
    fake.objects.set("/demo/a", { bytes: content(10), version: "v1" });
    fake.leased = false;
    const late = await connect({ endpoints });
    closers.push(() => late.close());
    await fails(late.stat("/demo/a"), "RL_NO_WORKERS");
    fake.leased = true;
    assert.equal((await late.stat("/demo/a")).sizeBytes, 10);
  });

  it("takes a new epoch over, and no older one", async () => {
    let nowMs = 0;
    const clock = { now: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
    const { fake, client } = await setUp(1, {}, { clock });
    await fake.join("w2");
    fake.epoch = 2;
    assert.equal((await client.cluster()).epoch, 1, "still fresh");
    nowMs = 5_001;
    assert.equal((await client.cluster()).epoch, 2);
    assert.equal((await client.ring()).members.length, 2);
    fake.epoch = 1;
    nowMs = 20_000;
    await client.cluster();
    assert.equal((await client.ring()).epoch, 2);
  });
});

describe("read", () => {
  it("goes straight to the owner, and tells the object and what happened", async () => {
    const { fake, client } = await setUp(3);
    for (let index = 0; index < 8; index++) {
      const path = `/demo/file-${index}`;
      fake.objects.set(path, { bytes: content(25_000 + index), version: "v1" });
      fake.calls.length = 0;
      const handle = client.read(path);
      assert.equal((await handle.object).sizeBytes, 25_000 + index);
      assert.deepEqual(await collect(handle), fake.objects.get(path)?.bytes);
      const owner = await ownerOf(client, path);
      assert.deepEqual(
        fake.reads().map(([worker]) => worker),
        [owner],
      );
      const summary = await handle.summary;
      assert.deepEqual(summary.servedBy, [owner]);
      assert.equal(summary.fellBack, false);
    }
  });

  it("reads ranges, to the end, beyond the end, and of an empty object", async () => {
    const { fake, client } = await setUp(2, { segmentBytes: 20_000 });
    const bytes = content(70_001);
    fake.objects.set("/demo/a", { bytes, version: "v1" });
    fake.objects.set("/demo/empty", { bytes: Buffer.alloc(0), version: "v0" });
    for (const [offset, length] of [
      [0, 1],
      [19_999, 2],
      [5, 60_000],
      [70_000, undefined],
      [69_000, 10_000],
      [20_000, 20_000],
    ] as const) {
      const got = await collect(client.read("/demo/a", { offset, length }));
      assert.deepEqual(
        got,
        bytes.subarray(offset, length === undefined ? undefined : offset + length),
        `${offset}+${length}`,
      );
    }
    const empty = client.read("/demo/empty");
    assert.equal((await collect(empty)).length, 0);
    assert.equal((await empty.object).version, "v0");
    await fails(collect(client.read("/demo/a", { offset: 70_001 })), "RL_BAD_RANGE");
    await fails(collect(client.read("/demo/a", { offset: -1 })), "RL_BAD_REQUEST");
    await fails(collect(client.read("/demo/a", { length: 0 })), "RL_BAD_REQUEST");
  });

  it("reads each segment of a large object from the segment's own owner", async () => {
    const { fake, client } = await setUp(3, { segmentBytes: 20_000 });
    const bytes = content(190_000);
    fake.objects.set("/demo/large", { bytes, version: "v1" });
    const handle = client.read("/demo/large");
    assert.deepEqual(await collect(handle), bytes);
    const reads = fake.reads();
    assert.equal(reads.length, 10);
    for (const [segment, [worker, offset]] of reads.entries()) {
      assert.equal(offset, segment * 20_000);
      assert.equal(worker, await ownerOf(client, "/demo/large", segment));
    }
    assert.ok(new Set(reads.map(([worker]) => worker)).size > 1, "the segments spread over workers");
    assert.equal((await handle.summary).bytesBySource.mem, 190_000);
  });

  it("goes on at the byte where a killed owner broke off, with every byte right", async () => {
    const { fake, client } = await setUp(3);
    const bytes = content(200_000);
    fake.objects.set("/demo/big", { bytes, version: "v1" });
    const owner = await ownerOf(client, "/demo/big");
    fake.onChunk = async (worker, position) => {
      if (worker === owner && position >= 50_000) {
        void fake.kill(owner);
        await new Promise(() => {});
      }
    };
    const handle = client.read("/demo/big");
    assert.deepEqual(await collect(handle), bytes);
    const [first, second] = fake.reads();
    assert.deepEqual(first, [owner, 0, 256 * 1024 * 1024]);
    assert.equal(second?.[1], 50_000);
    assert.notEqual(second?.[0], owner);
    const versions = fake.calls.map(({ request }) => (request as { version: string }).version);
    assert.deepEqual(versions, ["", "v1"], "the second source is pinned to the version of the first");
    assert.equal((await handle.summary).fellBack, true);
    assert.deepEqual(await collect(client.read("/demo/big")), bytes, "and so do reads that begin while it is dead");
  });

  it("asks the replicas in the ring's order before anybody else", async () => {
    const { fake, client } = await setUp(5);
    fake.mounts[0]!.replicas = 3;
    fake.objects.set("/demo/r", { bytes: content(100), version: "v1" });
    const fresh = await connect({ endpoints: [...fake.servers.values()].map(({ port }) => `127.0.0.1:${port}`) });
    closers.push(() => fresh.close());
    const owners = (await client.ring()).owners(segmentKey("demo", "r", 0), 3);
    fake.onChunk = (worker) => {
      if (worker !== owners[2]) throw new RinglightError("RL_OVERLOADED", "busy");
    };
    await collect(fresh.read("/demo/r"));
    assert.deepEqual(
      fake.reads().map(([worker]) => worker),
      owners,
    );
  });

  it("never goes on with another version", async () => {
    const { fake, client } = await setUp(3);
    fake.objects.set("/demo/x", { bytes: content(100_000), version: "v1" });
    const owner = await ownerOf(client, "/demo/x");
    fake.onChunk = (worker, position) => {
      if (worker !== owner || position < 40_000) return;
      fake.objects.set("/demo/x", { bytes: Buffer.alloc(100_000, 1), version: "v2" });
      throw new RinglightError("RL_INTERNAL", "broken");
    };
    const got: Uint8Array[] = [];
    const read = async () => {
      for await (const piece of client.read("/demo/x").stream) got.push(piece);
    };
    await fails(read(), "RL_VERSION_CHANGED");
    assert.deepEqual(Buffer.concat(got), content(100_000).subarray(0, 40_000));
    await fails(collect(client.read("/demo/x", { version: "v1" })), "RL_VERSION_CHANGED");
  });

  it("asks the next worker when one is silent for too long", async () => {
    const { fake, client } = await setUp(2);
    const bytes = content(30_000);
    fake.objects.set("/demo/s", { bytes, version: "v1" });
    const owner = await ownerOf(client, "/demo/s");
    fake.onChunk = async (worker, position) => {
      if (worker === owner && position >= 10_000) await new Promise(() => {});
    };
    assert.deepEqual(await collect(client.read("/demo/s", { idleMs: 150 })), bytes);
  });

  it("finds workers that came after the known ones had gone", async () => {
    const { fake, client } = await setUp(1);
    const bytes = content(10);
    fake.objects.set("/demo/n", { bytes, version: "v1" });
    const { port } = fake.servers.get("w1") ?? { port: 0 };
    await fake.kill("w1");
    fake.servers.delete("w1");
    await fake.join("w2");
    await fails(collect(client.read("/demo/n")), "RL_NO_WORKERS");
    await fake.join("w3", port);
    const endMs = Date.now() + 5_000;
    for (;;) {
      const got = await collect(client.read("/demo/n")).catch(() => undefined);
      if (got !== undefined) {
        assert.deepEqual(got, bytes);
        break;
      }
      assert.ok(Date.now() < endMs, "the client learns of w2 through the endpoint that came back");
    }
  });

  it("tells what no other worker can mend at once: not found", async () => {
    const { fake, client } = await setUp(3);
    const handle = client.read("/demo/none");
    await fails(handle.object, "RL_NOT_FOUND");
    await fails(collect(handle), "RL_NOT_FOUND");
    await fails(handle.summary, "RL_NOT_FOUND");
    assert.equal(fake.reads().length, 1);
  });

  it("stops at an abort, and when the reader leaves", async () => {
    const { fake, client } = await setUp(2);
    fake.objects.set("/demo/l", { bytes: content(5_000_000), version: "v1" });
    const controller = new AbortController();
    const aborted = client.read("/demo/l", { signal: controller.signal });
    const read = async () => {
      for await (const _ of aborted.stream) controller.abort();
    };
    await fails(read(), "RL_CANCELLED");
    const left = client.read("/demo/l");
    for await (const _ of left.stream) break;
    await fails(left.summary, "RL_CANCELLED");
    const looked = client.read("/demo/l");
    assert.equal((await looked.object).version, "v1");
    await looked.cancel();
    await looked.cancel();
    assert.equal((await collect(looked).catch(() => Buffer.alloc(0))).length < 5_000_000, true);
  });
});

describe("questions", () => {
  it("stat asks the owner, and another worker when the owner is dead", async () => {
    const { fake, client } = await setUp(3);
    fake.objects.set("/demo/a", { bytes: content(7), version: "v9" });
    const owner = await ownerOf(client, "/demo/a");
    assert.equal((await client.stat("/demo/a")).version, "v9");
    assert.equal(fake.calls[0]?.worker, owner);
    await fake.kill(owner);
    assert.equal((await client.stat("/demo/a")).sizeBytes, 7);
    await fails(client.stat("/demo/none"), "RL_NOT_FOUND");
    await fails(client.stat("demo"), "RL_BAD_REQUEST");
  });

  it("list gives a page, and listAll all of them", async () => {
    const { fake, client } = await setUp(2);
    const keys = Array.from({ length: 25 }, (_, index) => `/demo/k${String(index).padStart(2, "0")}`);
    for (const key of keys) fake.objects.set(key, { bytes: Buffer.alloc(0), version: "v" });
    assert.equal((await client.list("/demo", { maxKeys: 10 })).truncated, true);
    const all: string[] = [];
    for await (const page of client.listAll("/demo", { maxKeys: 10 }))
      all.push(...page.objects.map(({ path }) => path));
    assert.deepEqual(all, keys);
  });

  it("explain gives the owner's answer and the union of all, and says how many answered", async () => {
    const { fake, client } = await setUp(3);
    fake.objects.set("/demo/e", { bytes: content(9_500), version: "v1" });
    fake.held.set("w1", [{ first: 0, last: 3 }]);
    fake.held.set("w2", [{ first: 2, last: 5 }]);
    fake.held.set("w3", [{ first: 9, last: 9 }]);
    const owner = await ownerOf(client, "/demo/e");
    const all = await client.explain("/demo/e");
    assert.equal(all.owner.workerId, owner);
    assert.deepEqual(all.cached, [
      { first: 0, last: 5 },
      { first: 9, last: 9 },
    ]);
    assert.equal(all.cachedBytes, 6_500);
    assert.deepEqual([all.answered, all.workers, all.responses.length], [3, 3, 3]);
    await fake.kill(owner);
    const some = await client.explain("/demo/e");
    assert.deepEqual([some.answered, some.workers], [2, 3]);
    assert.notEqual(some.owner.workerId, owner);
    await fails(client.explain("/demo/none"), "RL_NOT_FOUND");
  });

  it("coverage counts a page that two workers hold once", async () => {
    const { fake, client } = await setUp(2);
    fake.held.set("w1", [{ first: 0, last: 1 }]);
    fake.held.set("w2", [{ first: 1, last: 2 }]);
    const objects = [
      ObjectVersion.create({ path: "/demo/a", version: "v", sizeBytes: 2_500 }),
      ObjectVersion.create({ path: "/demo/b", version: "v", sizeBytes: 900 }),
    ];
    const coverage = await client.coverage(objects);
    assert.deepEqual(
      coverage.objects.map(({ cachedBytes }) => cachedBytes),
      [2_500, 900],
    );
    assert.deepEqual([coverage.answered, coverage.workers, coverage.pageBytes], [2, 2, 1000]);
    assert.deepEqual((await client.coverage([])).objects, []);
  });

  it("mounts are added, checked and removed", async () => {
    const { fake, client } = await setUp(2);
    const mount = { name: "lake", uri: "s3://lake" };
    await client.addMount(mount, { dryRun: true });
    assert.equal(fake.mounts.length, 1);
    assert.equal((await client.addMount(mount)).uri, "s3://lake");
    await fails(client.addMount(mount), "RL_MOUNT_EXISTS");
    assert.deepEqual(
      (await client.cluster()).mounts.map(({ name }) => name),
      ["demo", "lake"],
    );
    const { checks, answered } = await client.checkMounts();
    assert.equal(answered, 2);
    assert.deepEqual(checks.map(({ workerId }) => workerId).sort(), ["w1", "w2"]);
    await client.removeMount("lake");
    await fails(client.removeMount("lake"), "RL_NO_SUCH_MOUNT");
  });

  it("stats streams one worker's counters, and names those alive for an unknown one", async () => {
    const { client } = await setUp(2);
    const epochs: number[] = [];
    for await (const stats of client.stats("w2", { intervalMs: 200 })) epochs.push(stats.epoch);
    assert.deepEqual(epochs, [1, 2, 3]);
    await fails(client.stats("w9").next(), "RL_NO_WORKERS");
  });

  it("fail after close", async () => {
    const { client } = await setUp(1);
    client.close();
    client.close();
    await assert.rejects(client.stat("/demo/a"), (error) => isRinglightError(error));
  });
});

describe("uniteRuns and runBytes", () => {
  it("unite as sets and count the last page as short", () => {
    assert.deepEqual(
      uniteRuns([
        [
          { first: 5, last: 6 },
          { first: 0, last: 0 },
        ],
        [
          { first: 1, last: 2 },
          { first: 6, last: 9 },
        ],
      ]),
      [
        { first: 0, last: 2 },
        { first: 5, last: 9 },
      ],
    );
    assert.equal(runBytes([{ first: 0, last: 2 }], 2_001, 1_000), 2_001);
    assert.equal(runBytes([{ first: 0, last: 9 }], 2_001, 1_000), 2_001, "pages behind the end do not count");
    assert.equal(runBytes([{ first: 7, last: 9 }], 2_001, 1_000), 0);
  });
});

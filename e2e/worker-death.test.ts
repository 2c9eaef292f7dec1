/**
 * A worker is killed while clients read: no wrong byte and no failed read; the ring shows the absence; when it has been
 * away too long its own share moves, and comes back with it; and the second start of the cluster finds the cache warm.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { buildRing, diff, type Ring } from "@ringlight/ring";
import { type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

const BUCKET = "loop";
const OBJECTS = 24;
const MIB = 1024 * 1024;

let origin: S3Origin;
let cluster: Cluster;
const args: string[] = [];

before(async () => {
  origin = await startS3Origin();
  for (let index = 0; index < OBJECTS; index++) {
    origin.putObject(BUCKET, `object-${index}`, { sizeBytes: (index % 6) * MIB + 12_345, seed: index });
  }
  args.push(
    "--mount",
    `/${BUCKET}=s3://${BUCKET},endpoint=${origin.endpoint},region=us-east-1,credentials=env:ORIGIN`,
    "--absence",
    "12s",
    "--restart-after",
    "25s",
    "--lease-ttl",
    "3s",
  );
  cluster = await startCluster({ portOffset: 1020, args, env: originKey() });
});

after(async () => {
  await cluster?.remove();
  await origin?.close();
});

function originKey(): Record<string, string> {
  return { ORIGIN_ACCESS_KEY_ID: origin.accessKeyId, ORIGIN_SECRET_ACCESS_KEY: origin.secretAccessKey };
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const loops: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const loop of loops.splice(0)) await loop.stop();
});

/** Readers that go round the objects until told to stop, and check every byte. */
function startReaders(count: number): { stop(): Promise<{ reads: number; failures: string[] }> } {
  const expected = Array.from({ length: OBJECTS }, (_, index) => digest(origin.bytesOf(BUCKET, `object-${index}`)));
  const s3 = cluster.s3();
  const failures: string[] = [];
  let reads = 0;
  let stopping = false;
  const reader = async (start: number) => {
    for (let turn = start; !stopping; turn++) {
      const index = (turn * 7) % OBJECTS;
      try {
        const answer = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: `object-${index}` }));
        const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
        if (digest(bytes) !== expected[index]) failures.push(`object-${index}: wrong bytes`);
      } catch (error) {
        // A connection to the killed worker itself is cut; what an S3 client does then is to ask again.
        if (!isCutConnection(error)) failures.push(`object-${index}: ${String(error)}`);
        else turn--;
      }
      reads++;
    }
  };
  const running = Array.from({ length: count }, (_, index) => reader(index * 5));
  const loop = {
    stop: async () => {
      stopping = true;
      await Promise.all(running);
      s3.destroy();
      return { reads, failures };
    },
  };
  loops.push(loop);
  return loop;
}

function isCutConnection(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return ["ECONNRESET", "EPIPE"].includes(code) || String(error).includes("aborted");
}

async function ring(): Promise<{ epoch: number; ring: Ring; alive: string[] }> {
  const client = await cluster.client();
  try {
    const view = await client.cluster();
    return {
      epoch: view.epoch,
      ring: buildRing(view.members, { epoch: view.epoch }),
      alive: view.workers.map(({ id }) => id).sort(),
    };
  } finally {
    await client.close();
  }
}

test("a worker is killed in the middle of a read loop: every read ends well with the right bytes, through its absence and its return", async () => {
  const readers = startReaders(6);
  const before = await ring();
  assert.equal(before.alive.length, 3);
  const victim = cluster.info().workers[1];
  assert.ok(victim);
  process.kill(victim.pid, "SIGKILL");

  // The lease ends: it is seen as down, and still owns its arcs.
  await waitFor(async () => !(await ring()).alive.includes(victim.id), { timeoutMs: 10_000 });
  assert.equal((await ring()).epoch, before.epoch);
  const { snapshot } = (await (await fetch(`${cluster.info().console}/api/cluster`)).json()) as {
    snapshot: { workers: { id: string; state: string }[] };
  };
  assert.equal(snapshot.workers.find(({ id }) => id === victim.id)?.state, "down");

  // Away too long: its arcs, and next to no others, go to the two that live.
  await waitFor(async () => (await ring()).epoch > before.epoch, { timeoutMs: 30_000 });
  const without = await ring();
  const moved = diff(before.ring, without.ring);
  assert.deepEqual(without.ring.members.map(({ id }) => id).includes(victim.id), false);
  assert.ok(moved.needlessArcs / before.ring.arcs < 0.01, `${moved.needlessArcs} arcs moved needlessly`);

  // Started again by the supervisor: the ring is as it was, arc by arc.
  await waitFor(async () => (await ring()).alive.includes(victim.id), { timeoutMs: 60_000 });
  const restored = await ring();
  assert.equal(diff(before.ring, restored.ring).movedArcs, 0);

  const { reads, failures } = await readers.stop();
  assert.deepEqual(failures, []);
  assert.ok(reads > 50, `${reads} reads`);
});

test("the registry is killed for a while: reads go on, and every member is there again afterwards", async () => {
  const readers = startReaders(3);
  const before = await ring();
  const { pids } = cluster.info();
  const registry = pids.registry;
  assert.ok(registry);
  process.kill(registry, "SIGKILL");
  await waitFor(() => cluster.info().pids.registry !== registry && (cluster.info().pids.registry ?? 0) > 0, {
    timeoutMs: 60_000,
  });
  await waitFor(async () => (await ring()).alive.length === 3, { timeoutMs: 15_000 });
  const { reads, failures } = await readers.stop();
  assert.deepEqual(failures, []);
  assert.ok(reads > 50, `${reads} reads`);
  assert.equal(diff(before.ring, (await ring()).ring).movedArcs, 0);
});

/** Reads every object once and checks its bytes. */
async function readAll(): Promise<void> {
  const s3 = cluster.s3();
  try {
    for (let index = 0; index < OBJECTS; index++) {
      const answer = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: `object-${index}` }));
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      assert.equal(digest(bytes), digest(origin.bytesOf(BUCKET, `object-${index}`)));
    }
  } finally {
    s3.destroy();
  }
}

test("Ctrl-C ends everything, and the second start finds the cache warm", async () => {
  await readAll();
  const { pids, s3Endpoint } = cluster.info();
  await cluster.stop();
  for (const [name, pid] of Object.entries(pids)) {
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" }, `${name} is gone`);
  }
  await assert.rejects(fetch(s3Endpoint));
  origin.resetCounts();
  const { dataDir, portOffset } = cluster;
  cluster = await startCluster({ portOffset, args: args.slice(2), env: originKey(), dataDir });
  await readAll();
  assert.equal(origin.count({ op: "GetObject" }), 0);
});

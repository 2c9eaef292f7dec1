/**
 * The same requests to a real S3 server and through the cluster: status, headers that matter, bodies and errors are the
 * same; cold, warm, and after a worker was killed. Where they differ on purpose, differences.ts says why, and the test
 * fails when such a difference is gone.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type Radosgw, randomBytes, startRadosgw } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";
import { type Answer, ask, type Endpoint, endpointOf, essence, type Shape } from "./differential/ask.ts";
import { DIFFERENCES } from "./differential/differences.ts";
import { multipartSteps } from "./differential/multipart.ts";
import { encodeKey, OBJECTS, readShapes, writeShapes } from "./differential/shapes.ts";

const READ = "compared";
const CONCURRENCY = 8;

let store: Radosgw;
let cluster: Cluster;
let work: string;
let direct: Endpoint;
let through: Endpoint;
let shapes: Shape[];

async function must(endpoint: Endpoint, shape: Shape): Promise<Answer> {
  const answer = await ask(endpoint, shape);
  assert.ok(answer.status < 300, `${shape.name}: ${answer.status} ${answer.body.toString()}`);
  return answer;
}

before(async () => {
  work = mkdtempSync(join(tmpdir(), "ringlight-differential-"));
  store = await startRadosgw();
  direct = endpointOf(store.endpoint, READ, store);
  for (const bucket of [READ, "written-direct", "written-through"]) {
    await must({ ...direct, bucket }, { name: "make a bucket", method: "PUT", target: "/{bucket}" });
  }
  const stats = new Map<string, Answer>();
  for (const [index, { key, sizeBytes, headers = {} }] of OBJECTS.entries()) {
    const target = `/{bucket}/${encodeKey(key)}`;
    await must(direct, { name: key, method: "PUT", target, headers, body: randomBytes(index + 1, sizeBytes) });
    stats.set(key, await must(direct, { name: key, method: "HEAD", target }));
  }
  const header = (name: string) => (key: string) => stats.get(key)?.headers[name] ?? "";
  shapes = readShapes(header("etag"), header("last-modified"));
  const options = `endpoint=${store.endpoint},region=us-east-1,credentials=env:STORE`;
  cluster = await startCluster({
    portOffset: 1040,
    args: [
      "--no-console",
      ...["--mount", `/${READ}=s3://${READ},${options}`],
      ...["--mount", `/written-through=s3://written-through,${options}`],
      ...["--restart-after", "10m"],
    ],
    env: { STORE_ACCESS_KEY_ID: store.accessKeyId, STORE_SECRET_ACCESS_KEY: store.secretAccessKey },
  });
  through = endpointOf(cluster.info().s3Endpoint, READ, cluster);
});

after(async () => {
  direct?.agent.destroy();
  through?.agent.destroy();
  await cluster?.remove();
  await store?.stop();
  rmSync(work, { recursive: true, force: true });
});

interface Difference {
  readonly name: string;
  readonly direct: unknown;
  readonly through: unknown;
}

/** Fails with every difference that is not explained, and with every explained one that is none. */
function assertExplained(found: readonly Difference[], asked: readonly string[]): void {
  const unexplained = found.filter(({ name }) => DIFFERENCES[name] === undefined);
  const text = unexplained
    .map(
      ({ name, ...sides }) =>
        `${name}\n    store   ${JSON.stringify(sides.direct)}\n    through ${JSON.stringify(sides.through)}`,
    )
    .join("\n");
  assert.equal(unexplained.length, 0, `${unexplained.length} of ${asked.length} differ:\n${text}`);
  const names = new Set(found.map(({ name }) => name));
  const gone = asked.filter((name) => DIFFERENCES[name] !== undefined && !names.has(name));
  assert.deepEqual(gone, [], "these do not differ any more");
}

async function compareReads(): Promise<void> {
  const found: Difference[] = [];
  const queue = [...shapes];
  const next = async () => {
    for (let shape = queue.shift(); shape !== undefined; shape = queue.shift()) {
      const [one, other] = await Promise.all([ask(direct, shape), ask(through, shape)]);
      const sides = { direct: essence(shape, one, READ), through: essence(shape, other, READ) };
      if (!isDeepStrictEqual(sides.through, sides.direct)) found.push({ name: shape.name, ...sides });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, next));
  assertExplained(
    found,
    shapes.map(({ name }) => name),
  );
}

test("there are at least four hundred shapes, each with a name of its own", () => {
  const names = new Set(shapes.map(({ name }) => name));
  assert.equal(names.size, shapes.length);
  assert.ok(shapes.length >= 400, `${shapes.length}`);
});

test("every read is answered as the store answers it, cold", compareReads);

test("every read is answered as the store answers it, warm", compareReads);

/** Compares the answers to a write, and then the object that it was about. */
async function compareWrite(shape: Shape, key: string, found: Difference[]): Promise<void> {
  const ends = [
    { ...direct, bucket: "written-direct" },
    { ...through, bucket: "written-through" },
  ] as const;
  const look: Shape = { name: "look", method: "GET", target: `/{bucket}/${encodeKey(key)}` };
  const sides: unknown[] = [];
  for (const end of ends) {
    const answer = await ask(end, shape);
    const seen = essence(look, await ask(end, look), end.bucket) as { headers?: Record<string, string> };
    delete seen.headers?.["last-modified"];
    const said = essence(shape, answer, end.bucket) as { listed?: string };
    // Times and upload ids are each server's own.
    if (said.listed !== undefined) said.listed = said.listed.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME");
    sides.push({ said, seen });
  }
  if (!isDeepStrictEqual(sides[1], sides[0])) found.push({ name: shape.name, direct: sides[0], through: sides[1] });
}

test("every write does what it does at the store", async () => {
  const found: Difference[] = [];
  const writes = writeShapes();
  for (const { shape, key } of writes) await compareWrite(shape, key, found);
  assertExplained(
    found,
    writes.map(({ shape }) => shape.name),
  );
});

test("uploads in parts go as they go at the store, the wrong ones as well", async () => {
  const wanted = await multipartSteps({ ...direct, bucket: "written-direct" });
  const seen = await multipartSteps({ ...through, bucket: "written-through" });
  const found = wanted.flatMap(({ name, essence: wants }, index) => {
    const { essence: got } = seen[index] ?? { essence: undefined };
    return isDeepStrictEqual(got, wants) ? [] : [{ name, direct: wants, through: got }];
  });
  assertExplained(
    found,
    wanted.map(({ name }) => name),
  );
});

test("between two halves of an object a worker is killed, and all reads go on as the store answers them", async () => {
  const { sizeBytes } = OBJECTS.find(({ key }) => key === "pages") ?? { sizeBytes: 0 };
  const half = Math.floor(sizeBytes / 2);
  const part = (start: number, end: number): Shape => ({
    name: `bytes ${start}-${end}`,
    method: "GET",
    target: "/{bucket}/pages",
    headers: { range: `bytes=${start}-${end}` },
  });
  const first = await must(through, part(0, half - 1));
  const victim = cluster.info().workers[0];
  assert.ok(victim);
  process.kill(victim.pid, "SIGKILL");
  const second = await must(through, part(half, sizeBytes - 1));
  const whole = await must(direct, { name: "whole", method: "GET", target: "/{bucket}/pages" });
  assert.ok(Buffer.concat([first.body, second.body]).equals(whole.body));
  await compareReads();
});

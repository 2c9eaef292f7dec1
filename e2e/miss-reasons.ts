/**
 * Makes each reason of a miss happen, by real traffic on a real cluster: a cluster of three workers with small tiers over an
 * origin that breaks when it is told to. Each producer leaves the cluster in the state in which the next read of its object
 * misses for that reason, and only for that. It may be called for several objects before the first of them is read.
 */
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { type MissReason, segmentKey } from "@ringlight/core";
import { buildRing } from "@ringlight/ring";
import { type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Size of the objects that reasons are shown on: one page. */
const OBJECT_BYTES = 64 * KIB;
/** Of all tiers of a worker. */
const TIER_BYTES = 16 * MIB;
const WORKERS = 3;
/** A worker that is away as long leaves the ring. */
const ABSENCE_MS = 12_000;
/** A ring that stood this long counts as the one before: see apps/worker/src/ring-keeper.ts. */
const SETTLED_MS = 31_000;

/** A cluster in which every reason can be produced. */
export interface MissCluster {
  readonly cluster: Cluster;
  readonly origin: S3Origin;
  /** Unix milliseconds of the start. */
  readonly startedMs: number;
  /** The worker that was killed, with the ring in which it was. */
  lost: { readonly id: string; readonly ownerOf: (path: string) => string } | undefined;
  close(): Promise<void>;
}

/** A read that is about to miss. */
export interface AboutToMiss {
  /** "/mount/key" */
  readonly path: string;
  /** S3 endpoint of the worker to ask. */
  readonly endpoint: string;
}

/** Starts the cluster. It keeps running with a worker less once `owner_down` was produced, so that comes late. */
export async function startMissCluster(
  options: Pick<ClusterOptions, "portOffset" | "args" | "env">,
): Promise<MissCluster> {
  const origin = await startS3Origin();
  const mount = (name: string, more: string) =>
    `/${name}=s3://${name},endpoint=${origin.endpoint},region=us-east-1,credentials=env:ORIGIN,access=anonymous-read${more}`;
  const mounts = [
    mount("plain", ""),
    mount("brief", ",freshness=ttl:200ms"),
    mount("frozen", ",eviction=freeze"),
    mount("checked", ",verify=always"),
  ];
  for (const bucket of ["plain", "brief", "frozen", "checked"]) origin.createBucket(bucket);
  const cluster = await startCluster({
    portOffset: options.portOffset,
    args: [
      ...mounts.flatMap((spec) => ["--mount", spec]),
      ...["--workers", String(WORKERS), "--mem", "0", "--ssd", `${TIER_BYTES / MIB}MiB`],
      ...["--no-restart", "--absence", `${ABSENCE_MS}ms`, "--lease-ttl", "3s"],
      ...(options.args ?? []),
    ],
    env: {
      ORIGIN_ACCESS_KEY_ID: origin.accessKeyId,
      ORIGIN_SECRET_ACCESS_KEY: origin.secretAccessKey,
      RINGLIGHT_SSD_EVICTION: "lru",
      ...options.env,
    },
  });
  return {
    cluster,
    origin,
    startedMs: Date.now(),
    lost: undefined,
    close: async () => {
      await cluster.remove();
      await origin.close();
    },
  };
}

/** Reads a whole object without a signature. @throws what fetch throws when the answer breaks off */
export async function readObject(
  { path, endpoint }: AboutToMiss,
  headers: Record<string, string> = {},
): Promise<Response> {
  const answer = await fetch(`${endpoint}${path}`, { headers });
  await answer.arrayBuffer();
  return answer;
}

/** @param name tells the object from others that miss for the same reason */
type Producer = (on: MissCluster, name: string) => Promise<AboutToMiss>;

/** The reasons in an order in which they can be produced one after the other on one cluster. */
export const PRODUCERS: readonly (readonly [MissReason, Producer])[] = [
  ["cold", cold],
  ["expired", expired],
  ["invalidated", invalidated],
  ["partial", partial],
  ["corrupt", corrupt],
  ["evicted", evicted],
  ["admission_refused", admissionRefused],
  ["owner_down", ownerDown],
  ["rebalanced", rebalanced],
];

let placed = 0;

/** Puts an object into the origin, unlike all others, and says where to ask for it. */
async function place(on: MissCluster, path: string, sizeBytes = OBJECT_BYTES): Promise<AboutToMiss> {
  const [, bucket = "", key = ""] = path.split("/");
  on.origin.putObject(bucket, key, { sizeBytes, seed: 1000 + placed++ });
  const owner = await ownerOf(on, path);
  return { path, endpoint: endpointOf(on, (id) => id !== owner) };
}

/** The first owner of a path, and the members of the ring that says so. */
async function ringOf({ cluster }: MissCluster): Promise<{ members: string[]; ownerOf: (path: string) => string }> {
  const client = await cluster.client();
  try {
    const { members, epoch } = await client.cluster();
    const ring = buildRing(members, { epoch });
    return {
      members: members.map(({ id }) => id),
      ownerOf: (path) => {
        const [, mount = "", key = ""] = path.split("/");
        return ring.owners(segmentKey(mount, key, 0), 1)[0] ?? "";
      },
    };
  } finally {
    client.close();
  }
}

async function ownerOf(on: MissCluster, path: string): Promise<string> {
  return (await ringOf(on)).ownerOf(path);
}

/** The S3 endpoint of a living worker. */
function endpointOf({ cluster }: MissCluster, choose: (id: string) => boolean): string {
  const worker = cluster.info().workers.find(({ id, pid }) => pid !== 0 && choose(id));
  if (worker === undefined) throw new Error("no such worker is alive");
  return `http://${worker.s3}`;
}

async function cold(on: MissCluster, name: string): Promise<AboutToMiss> {
  return place(on, `/plain/cold-${name}`);
}

/** The object changes in the store, and the mount's freshness runs out. */
async function expired(on: MissCluster, name: string): Promise<AboutToMiss> {
  const read = await place(on, `/brief/expired-${name}`);
  await readObject(read);
  const readMs = performance.now();
  on.origin.putObject("brief", `expired-${name}`, { sizeBytes: OBJECT_BYTES, seed: 4711 });
  await waitFor(() => performance.now() > readMs + 250, { what: "the freshness of 200 ms runs out" });
  return read;
}

/** The object is written through a worker. */
async function invalidated(on: MissCluster, name: string): Promise<AboutToMiss> {
  const read = await place(on, `/plain/invalidated-${name}`);
  await readObject(read);
  const s3 = on.cluster.s3();
  try {
    const Body = Buffer.alloc(OBJECT_BYTES, 7);
    await s3.send(new PutObjectCommand({ Bucket: "plain", Key: `invalidated-${name}`, Body }));
  } finally {
    s3.destroy();
  }
  return read;
}

/** The store breaks off in the middle of the page, as often as it is asked. */
async function partial(on: MissCluster, name: string): Promise<AboutToMiss> {
  const read = await place(on, `/plain/partial-${name}`);
  const match = { bucket: "plain", key: `partial-${name}`, method: "GET" };
  on.origin.truncate(match, KIB);
  await readObject(read).catch(() => undefined);
  on.origin.clearFaults();
  return read;
}

/** A byte of the page's file is turned over. */
async function corrupt(on: MissCluster, name: string): Promise<AboutToMiss> {
  const read = await place(on, `/checked/corrupt-${name}`);
  await readObject(read);
  // The reader has its bytes before the page is stored; its file has them as well, and whoever comes now joins the fetch.
  await waitFor(async () => (await cachedBytesOf(on, read)) > 0, { what: "the page is stored" });
  const start = on.origin.bytesOf("checked", `corrupt-${name}`, 0, 256);
  const file = fileThatBegins(on.cluster.dataDir, start);
  if (file === undefined) throw new Error(`no file holds the page of ${read.path}`);
  const fd = openSync(file, "r+");
  try {
    writeSync(fd, Buffer.from([(start[100] ?? 0) ^ 255]), 0, 1, 100);
  } finally {
    closeSync(fd);
  }
  return read;
}

/** The page file below a directory that begins with some bytes. */
function fileThatBegins(directory: string, bytes: Buffer): string | undefined {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const head = Buffer.alloc(bytes.length);
    const fd = openSync(file, "r");
    readSync(fd, head, 0, head.length, 0);
    closeSync(fd);
    if (head.equals(bytes)) return file;
  }
  return undefined;
}

/** Other objects are read until the page has gone. */
async function evicted(on: MissCluster, name: string): Promise<AboutToMiss> {
  const read = await place(on, `/plain/evicted-${name}`);
  await readObject(read);
  await fillTiers(on, async () => (await cachedBytesOf(on, read)) === 0);
  return read;
}

async function cachedBytesOf({ cluster }: MissCluster, { path }: AboutToMiss): Promise<number> {
  const client = await cluster.client();
  try {
    return (await client.explain(path)).cachedBytes;
  } finally {
    client.close();
  }
}

let filled = 0;

/** Reads objects of a page of 1 MiB, a few times the size of all tiers at most, until `enough` says so. */
async function fillTiers(on: MissCluster, enough: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 8; round++) {
    const keys = Array.from({ length: TIER_BYTES / MIB }, () => `fill-${filled++}`);
    for (const key of keys) {
      on.origin.putObject("plain", key, { sizeBytes: MIB, seed: filled });
      await readObject({ path: `/plain/${key}`, endpoint: endpointOf(on, () => true) });
    }
    if (await enough()) return;
  }
  throw new Error("the tiers would not fill up");
}

/** All tiers are full by now, and pages of the mount make nothing else leave: one was read before, and not kept. */
async function admissionRefused(on: MissCluster, name: string): Promise<AboutToMiss> {
  const client = await on.cluster.client();
  try {
    for (let nth = 0; nth < TIER_BYTES / MIB; nth++) {
      const read = await place(on, `/frozen/refused-${name}-${nth}`, MIB);
      await readObject(read);
      const { owner, cachedBytes } = await client.explain(read.path);
      if (cachedBytes === 0 && owner.missReason === "admission_refused") return read;
    }
  } finally {
    client.close();
  }
  throw new Error("every page of the mount was taken");
}

/** The owner is killed. */
async function ownerDown(on: MissCluster, name: string): Promise<AboutToMiss> {
  // The ring must have stood for a while before it changes: what moves later counts as moved then.
  await waitFor(() => Date.now() > on.startedMs + SETTLED_MS, { timeoutMs: SETTLED_MS, what: "the ring has stood" });
  if (on.lost === undefined) {
    const { ownerOf: owner, members } = await ringOf(on);
    const id = members[0] ?? "";
    const { pid } = on.cluster.info().workers.find((worker) => worker.id === id) ?? {};
    if (pid === undefined || pid === 0) throw new Error(`${id} does not run`);
    process.kill(pid, "SIGKILL");
    on.lost = { id, ownerOf: owner };
    await waitFor(() => on.cluster.info().workers.find((worker) => worker.id === id)?.pid === 0, {
      what: "it is gone",
    });
  }
  const path = pathOwnedBy(on.lost.id, on.lost.ownerOf, `down-${name}`);
  await place(on, path);
  return { path, endpoint: endpointOf(on, () => true) };
}

function pathOwnedBy(worker: string, ownerOf: (path: string) => string, name: string): string {
  for (let nth = 0; ; nth++) if (ownerOf(`/plain/${name}-${nth}`) === worker) return `/plain/${name}-${nth}`;
}

/** The killed worker has left the ring: another one owns what it had. */
async function rebalanced(on: MissCluster, name: string): Promise<AboutToMiss> {
  if (on.lost === undefined) throw new Error("no worker was killed before");
  const path = pathOwnedBy(on.lost.id, on.lost.ownerOf, `moved-${name}`);
  await waitFor(async () => (await ringOf(on)).members.length < WORKERS, {
    timeoutMs: ABSENCE_MS + 20_000,
    intervalMs: 250,
    what: "the worker leaves the ring",
  });
  return place(on, path);
}

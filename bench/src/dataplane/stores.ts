/** Stores behind the cold cases: nginx as a plain HTTP store, Ceph's S3 gateway, and one that is 10 ms away. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Credentials, signRequest } from "@ringlight/sigv4";
import { freePort, hasRadosgw, startRadosgw } from "@ringlight/testing";
import { answers, program, startNginx } from "./references.ts";
import { getLine, signedLine } from "./requests.ts";
import type { BenchMount } from "./ringlight.ts";
import { childrenOf } from "./server-process.ts";
import { BUCKET, OBJECTS, type Stage } from "./stage.ts";

/** A kind of small object of the cold cases. */
export type ColdKind = "c4k" | "c100k";

/** A store, as both sides see it. */
export interface ColdStore {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
  readonly mount: BenchMount;
  /** Environment of workers that read it. */
  readonly env: Readonly<Record<string, string>>;
  readonly credentials?: Credentials;
  /** How many times as many keys the direct side may read in a round: so fast a store would be done before it is measured. */
  readonly directFactor: number;
  /** Keys of a round, by number; the same for both sides. Round 0 is the warm-up. */
  readonly keys: (kind: ColdKind, round: number, count: number) => readonly string[];
  /** A direct read of a key. */
  readonly line: (key: string) => string;
}

/** Keys that no round shares with another, on stores that have any number of names for one file. */
function named(kind: ColdKind, round: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `cold/${kind}/${round}-${index}`);
}

/** nginx serving files. */
export async function plainStore(
  stage: Stage,
  config: "nginx-static.conf" | "nginx-counted.conf" = "nginx-static.conf",
) {
  const { port, pids, directory } = await startNginx(stage, config, { cores: undefined });
  const store: ColdStore = {
    name: "nginx as the store",
    directFactor: 16,
    port,
    pids,
    mount: { endpoint: `http://127.0.0.1:${port}` },
    env: {},
    keys: named,
    line: (key) => getLine({ port }, key),
  };
  return { ...store, directory };
}

const SINK_SOURCE = fileURLToPath(new URL("../../native/sink.c", import.meta.url));

/** A store that takes writes, keeps nothing and costs next to nothing; requests are signed, as for any other. */
export async function sinkStore(stage: Stage): Promise<Pick<ColdStore, "port" | "mount" | "env">> {
  const binary = join(stage.directory, "sink");
  execFileSync(program("cc"), ["-O2", "-o", binary, SINK_SOURCE]);
  const port = await freePort();
  const sink = stage.start({ name: "sink", command: binary, args: [String(port)] });
  await answers(port, sink);
  return {
    port,
    mount: { endpoint: `http://127.0.0.1:${port}`, writable: true, credentials: "env:SINK" },
    env: { SINK_ACCESS_KEY_ID: "sink", SINK_SECRET_ACCESS_KEY: "keeps nothing" },
  };
}

/** How far the distant store is, milliseconds. */
const DISTANCE_MS = 10;

/** A store that takes 10 ms for each answer. */
export async function distantStore(stage: Stage): Promise<ColdStore> {
  const port = await freePort();
  const sizes = { c4k: OBJECTS.cold.c4k, c100k: OBJECTS.cold.c100k };
  const server = stage.start({
    name: "store 10 ms away",
    command: process.execPath,
    args: [
      join(fileURLToPath(new URL("..", import.meta.url)), "delayed-store-main.ts"),
      String(port),
      String(DISTANCE_MS),
      JSON.stringify(sizes),
    ],
  });
  await answers(port, server);
  return {
    name: `store ${DISTANCE_MS} ms away`,
    directFactor: 2,
    port,
    pids: server.pids(),
    mount: { endpoint: `http://127.0.0.1:${port}` },
    env: {},
    keys: named,
    line: (key) => getLine({ port }, key),
  };
}

/** Connections that objects are uploaded over. */
const UPLOADS = 16;

/** Ceph's gateway with the objects of all rounds, or undefined where Ceph is not installed. */
export async function radosStore(
  stage: Stage,
  counts: { readonly rounds: number; readonly perRound: number },
): Promise<ColdStore | undefined> {
  if (!(await hasRadosgw())) return undefined;
  stage.progress("starting Ceph's gateway");
  const before = new Set(childrenOf(process.pid));
  const gateway = await startRadosgw({ dir: stage.directory });
  stage.onClose(() => gateway.stop());
  const pids = childrenOf(process.pid).filter((pid) => !before.has(pid));
  const credentials = { accessKeyId: gateway.accessKeyId, secretAccessKey: gateway.secretAccessKey };
  const { port } = gateway;
  await makeBucket(port, credentials, BUCKET);
  stage.progress("uploading its objects");
  const door = { port, credentials };
  for (const kind of ["c4k", "c100k"] as const) {
    const keys = Array.from({ length: counts.rounds + 1 }, (_, round) => named(kind, round, counts.perRound)).flat();
    await stage.generator.load({
      endpoints: [{ port, targets: stage.generator.targets(keys.map((key) => signedLine(door, "PUT", key))) }],
      connections: UPLOADS,
      seconds: 300,
      order: "once",
      bodyBytes: OBJECTS.cold[kind],
    });
  }
  return {
    name: "radosgw",
    directFactor: 1,
    port,
    pids,
    mount: { endpoint: gateway.endpoint, credentials: "env:RINGLIGHT_BENCH_STORE" },
    env: {
      RINGLIGHT_BENCH_STORE_ACCESS_KEY_ID: credentials.accessKeyId,
      RINGLIGHT_BENCH_STORE_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    credentials,
    keys: named,
    // Signed before the round: the reference pays nothing for it, the cache signs while it is measured.
    line: (key) => signedLine(door, "GET", key),
  };
}

/** Makes a bucket. @throws Error with the store's words */
export async function makeBucket(port: number, credentials: Credentials, bucket: string): Promise<void> {
  const url = new URL(`http://127.0.0.1:${port}/${bucket}`);
  const { host: _, ...headers } = signRequest(
    { method: "PUT", url, headers: {} },
    { credentials, region: "us-east-1" },
  );
  const response = await fetch(url, { method: "PUT", headers });
  const words = await response.text();
  if (!response.ok) throw new Error(`the store refuses to make a bucket: ${response.status} ${words}`);
}

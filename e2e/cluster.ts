/** A whole cluster, started as a user would start it: by `ringlight up`. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { S3Client } from "@aws-sdk/client-s3";
import { connect, type RinglightClient } from "@ringlight/client";
import { runProcess, type SpawnedProcess, spawnProcess } from "@ringlight/testing";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CLI = join(ROOT, "apps/cli/src/main.ts");
const READY_MS = 90_000;
/**
 * Steps to the offsets that are tried: none shares a port with a multiple of 20, and all stay below 2600, so that no
 * port lies among those that the system hands out.
 */
const OFFSET_STEPS = [0, 405, 810, 1215];

/** What cluster.json says. */
export interface ClusterInfo {
  readonly console: string | null;
  readonly s3Endpoint: string;
  readonly registry: string;
  readonly scheduler: string;
  readonly workers: readonly {
    readonly id: string;
    readonly grpc: string;
    readonly s3: string;
    readonly rest: string;
    readonly pid: number;
  }[];
  readonly tokenFile: string;
  readonly credentialsFile: string;
  readonly pids: Readonly<Record<string, number>>;
}

/** A running cluster. */
export interface Cluster {
  readonly dataDir: string;
  /** What was added to the default ports: the offset that was asked for, or the next one that was free. */
  readonly portOffset: number;
  readonly up: SpawnedProcess;
  /** Read anew at each call: pids change when a process is started again. */
  info(): ClusterInfo;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** An SDK client on the shared endpoint, or on another one. */
  s3(endpoint?: string): S3Client;
  client(): Promise<RinglightClient>;
  /** Runs a command of the CLI against this cluster and returns what it printed. @throws for any exit code but 0 */
  run(...args: string[]): Promise<string>;
  /** Ends `up` as Ctrl-C does; the data directory stays until remove(). */
  stop(): Promise<void>;
  /** stop(), and removes the data directory. */
  remove(): Promise<void>;
}

/** How to start a cluster. */
export interface ClusterOptions {
  /**
   * Ports are the defaults plus this, a multiple of 20 from 1000 to 1080; where one of them is taken, by another run of
   * the tests for one, higher offsets are tried.
   */
  readonly portOffset: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** An existing data directory, for a second start. */
  readonly dataDir?: string;
}

/** Runs a command of the CLI without a cluster. */
export function ringlight(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<SpawnedProcess> {
  return spawnProcess(process.execPath, [CLI, ...args], { cwd: ROOT, env });
}

/** Starts `up`, at the first offset whose ports are free. @throws Error with its output when it does not come up */
async function startUp(options: ClusterOptions, dataDir: string): Promise<{ up: SpawnedProcess; portOffset: number }> {
  for (const step of OFFSET_STEPS) {
    const portOffset = options.portOffset + step;
    const args = ["up", "--json", "--data", dataDir, "--port-offset", String(portOffset), ...(options.args ?? [])];
    const up = await ringlight(args, options.env);
    try {
      await up.waitForLine(/^\{.*"s3Endpoint".*\}$/m, READY_MS);
      return { up, portOffset };
    } catch (error) {
      await up.stop(20_000);
      if (!/RL_PORT_IN_USE|EADDRINUSE/.test(up.output)) throw error;
    }
  }
  throw new Error(`the ports at ${OFFSET_STEPS.map((step) => options.portOffset + step).join(", ")} are all in use`);
}

/** Starts a cluster and waits until it says that it is ready. @throws Error with its output when it does not come up */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "ringlight-e2e-"));
  const { up, portOffset } = await startUp(options, dataDir);
  const dataPath = options.env?.RINGLIGHT_SENDFILE ?? process.env.RINGLIGHT_SENDFILE;
  const info = () => JSON.parse(readFileSync(join(dataDir, "cluster.json"), "utf8")) as ClusterInfo;
  const credentials = keyOf(info().credentialsFile);
  const stop = () => up.stop(30_000);
  if (dataPath === "off") await assertCopies(info()).catch((error) => stop().then(() => Promise.reject(error)));
  return {
    dataDir,
    portOffset,
    up,
    info,
    ...credentials,
    s3: (endpoint = info().s3Endpoint) =>
      new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials, maxAttempts: 4 }),
    client: () =>
      connect({
        endpoints: info().workers.map((worker) => worker.grpc),
        token: readFileSync(info().tokenFile, "utf8").trim(),
      }),
    run: (...rest) => runProcess(process.execPath, [CLI, ...rest, "--data", dataDir], { cwd: ROOT, timeoutMs: 60_000 }),
    stop,
    remove: async () => {
      await stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A run that is to show the way without the addon must have taken it. */
async function assertCopies({ workers }: ClusterInfo): Promise<void> {
  for (const { rest } of workers) {
    const { dataPath } = (await (await fetch(`http://${rest}/readyz`)).json()) as { dataPath: string };
    assert.match(dataPath, /^typescript/);
  }
}

function keyOf(file: string): { accessKeyId: string; secretAccessKey: string } {
  const parsed = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const key = (Array.isArray(parsed.keys) ? parsed.keys[0] : parsed) as {
    accessKeyId: string;
    secretAccessKey: string;
  };
  return { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey };
}

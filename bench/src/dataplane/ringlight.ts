/** Ringlight under measurement: a registry of its own and workers started directly, with everything on that is on by default. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type NewMount } from "@ringlight/client";
import { nodeFlagsOf } from "@ringlight/config";
import type { Credentials } from "@ringlight/sigv4";
import { freePort, waitFor } from "@ringlight/testing";
import type { Door } from "./requests.ts";
import type { ServerProcess } from "./server-process.ts";
import { BUCKET, SERVER_CORE, type Stage } from "./stage.ts";

const START_MS = 30_000;
const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

/** A worker. */
export interface BenchWorker {
  readonly id: string;
  readonly process: ServerProcess;
  readonly s3Port: number;
  readonly grpcPort: number;
  readonly restPort: number;
  readonly credentials: Credentials;
}

/** How a cluster is made. */
export interface RinglightOptions {
  /** Cores of each worker: one worker an element; undefined for all cores. */
  readonly workers?: readonly (string | undefined)[];
  readonly mem?: string;
  readonly ssd?: string;
  /** Further flags of every worker. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
}

/** A mount of the benchmark: where the store is, and who may read. */
export interface BenchMount {
  readonly name?: string;
  readonly endpoint: string;
  /** Bucket at the store; the mount's name when left out. */
  readonly bucket?: string;
  readonly credentials?: string;
  readonly writable?: boolean;
}

/** A cluster of one or more workers. */
export class Ringlight {
  readonly workers: readonly BenchWorker[];
  readonly #stage: Stage;
  readonly #parts: readonly ServerProcess[];

  private constructor(stage: Stage, workers: readonly BenchWorker[], parts: readonly ServerProcess[]) {
    this.#stage = stage;
    this.workers = workers;
    this.#parts = parts;
  }

  /** Starts registry and workers. The first worker is the one that most cases talk to. */
  static async start(stage: Stage, options: RinglightOptions = {}): Promise<Ringlight> {
    const { workers = [SERVER_CORE], mem = "3GiB", ssd = "0", flags = [], env = {}, nodeFlags = [] } = options;
    const directory = stage.scratch("ringlight");
    const registryPort = await freePort();
    const parentPipe = { RINGLIGHT_PARENT_PIPE: "1" };
    const registry = stage.start({
      name: "registry",
      command: process.execPath,
      args: [
        program("libs/registry/src/main.ts"),
        `--port=${registryPort}`,
        `--data-dir=${join(directory, "registry")}`,
      ],
      env: parentPipe,
    });
    const started: BenchWorker[] = [];
    for (const [index, cores] of workers.entries()) {
      const ports = { s3Port: await freePort(), grpcPort: await freePort(), restPort: await freePort() };
      const id = `bench-${index}`;
      const dataDirectory = join(directory, id);
      const worker = stage.start({
        name: id,
        command: process.execPath,
        args: [
          ...nodeFlagsOf("worker"),
          ...nodeFlags,
          program("apps/worker/src/main.ts"),
          `--id=${id}`,
          `--data-dir=${dataDirectory}`,
          `--mem-dir=${join(directory, `${id}-mem`)}`,
          `--registry=127.0.0.1:${registryPort}`,
          `--s3-port=${ports.s3Port}`,
          `--grpc-port=${ports.grpcPort}`,
          `--rest-port=${ports.restPort}`,
          `--mem=${mem}`,
          `--ssd=${ssd}`,
          "--log-level=warn",
          ...flags,
        ],
        ...(cores !== undefined && { cores }),
        env: { ...parentPipe, ...env },
      });
      await waitFor(
        async () => {
          if (gone(registry) || gone(worker)) return true;
          return (await fetch(`http://127.0.0.1:${ports.restPort}/readyz`)).ok;
        },
        { timeoutMs: START_MS, intervalMs: 50, what: `worker ${id} to be ready` },
      );
      registry.assertRunning();
      worker.assertRunning();
      const { keys } = JSON.parse(readFileSync(join(dataDirectory, "s3-credentials.json"), "utf8")) as {
        keys: [Credentials];
      };
      started.push({ id, process: worker, ...ports, credentials: keys[0] });
    }
    return new Ringlight(stage, started, [...started.map(({ process }) => process), registry]);
  }

  /** The first worker. */
  get worker(): BenchWorker {
    const [first] = this.workers;
    if (first === undefined) throw new Error("a cluster without workers");
    return first;
  }

  /** Adds a mount that may be read without a signature, and waits until all workers have it. */
  async mount(mount: BenchMount): Promise<void> {
    const client = await connect({ endpoints: this.workers.map(({ grpcPort }) => `127.0.0.1:${grpcPort}`) });
    const name = mount.name ?? BUCKET;
    const record: NewMount = {
      name,
      uri: `s3://${mount.bucket ?? name}`,
      credentials: mount.credentials ?? "anonymous",
      options: { endpoint: mount.endpoint, region: "us-east-1" },
      readOnly: mount.writable !== true,
      replicas: 1,
      freshness: undefined,
      createdUnixMs: 0,
      access: "anonymous-read",
    };
    await client.addMount(record, { deadlineMs: START_MS });
    await client.close();
    for (const { s3Port } of this.workers) {
      const url = `http://127.0.0.1:${s3Port}/${name}/`;
      await waitFor(async () => (await fetch(url, { method: "HEAD" })).status !== 404, {
        timeoutMs: START_MS,
        what: `the mount ${name} on every worker`,
      });
    }
  }

  /** The door of a worker: without credentials where anonymous reads are allowed, else as the key of its file. */
  async door(key: string, options: { readonly worker?: BenchWorker; readonly bucket?: string } = {}): Promise<Door> {
    const { worker = this.worker, bucket = BUCKET } = options;
    const response = await fetch(`http://127.0.0.1:${worker.s3Port}/${bucket}/${key}`, {
      headers: { range: "bytes=0-0" },
    });
    await response.arrayBuffer();
    if (response.ok) return { port: worker.s3Port, bucket };
    if (response.status !== 403) throw new Error(`/${bucket}/${key}: the worker answers ${response.status}`);
    return { port: worker.s3Port, bucket, credentials: worker.credentials };
  }

  /** Processes of the workers. */
  pids(): number[] {
    return this.workers.flatMap(({ process }) => process.pids());
  }

  async stop(): Promise<void> {
    for (const part of this.#parts) await part.stop();
    for (const { id, process } of this.workers) {
      // Workers log warnings and worse here: what they say belongs beside the figures.
      const said = process.output.trim();
      if (said !== "") this.#stage.progress(`${id}: ${said.slice(-1000)}`);
    }
  }
}

function gone(server: ServerProcess): boolean {
  try {
    server.assertRunning();
    return false;
  } catch {
    return true;
  }
}

function program(path: string): string {
  return join(REPOSITORY, path);
}

let help: string | undefined;

/** Whether this version of the worker has a setting. */
export function hasSetting(flag: string): boolean {
  help ??= execFileSync(process.execPath, [program("apps/worker/src/main.ts"), "--help"], { encoding: "utf8" });
  return help.includes(`${flag} `);
}

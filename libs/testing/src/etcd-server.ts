/**
 * Registry servers of tests as child processes that can be killed, frozen, started again and robbed of their data: a real
 * etcd (Debian package etcd-server), or anything that serves its API on a port and keeps its data in a directory.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { type SpawnedProcess, spawnProcess } from "./spawn-process.ts";
import { waitFor } from "./wait-for.ts";

/** A server process on loopback; its port and directory stay the same across restarts. */
export interface EtcdServer {
  /** "127.0.0.1:port" */
  readonly endpoint: string;
  readonly dir: string;
  readonly pid: number;
  /** Stops the process and removes the directory, if it was made here. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Starts the process again, killing it first if it runs. `wipe` empties its directory before. */
  restart(options?: { readonly wipe?: boolean }): Promise<void>;
}

/** How to start a server: the command for a port and a directory. */
export type EtcdLaunch = (
  port: number,
  dir: string,
) => Promise<{ readonly command: string; readonly args: readonly string[] }>;

/** Starts a real etcd, without fsync. @throws Error when etcd is not installed or does not start. */
export async function startEtcd(options: { readonly dir?: string } = {}): Promise<EtcdServer> {
  const peer = await freePort();
  return startEtcdLike(async (port, dir) => {
    const client = `http://127.0.0.1:${port}`;
    const peers = `http://127.0.0.1:${peer}`;
    return {
      command: "etcd",
      args: [
        ...["--name", "test", "--data-dir", join(dir, "etcd"), "--unsafe-no-fsync", "--logger", "zap"],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", `test=${peers}`],
        ...["--log-level", "error"],
      ],
    };
  }, options);
}

/** Starts any server that speaks etcd's API. @throws Error when it does not listen in time. */
export async function startEtcdLike(launch: EtcdLaunch, options: { readonly dir?: string } = {}): Promise<EtcdServer> {
  const made = options.dir === undefined;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "ringlight-registry-")));
  const server = new Server(launch, dir, await freePort(), made);
  try {
    await server.restart();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

class Server implements EtcdServer {
  readonly endpoint: string;
  readonly dir: string;
  readonly #launch: EtcdLaunch;
  readonly #port: number;
  readonly #removeDir: boolean;
  #process: SpawnedProcess | undefined;

  constructor(launch: EtcdLaunch, dir: string, port: number, removeDir: boolean) {
    this.#launch = launch;
    this.dir = dir;
    this.#port = port;
    this.#removeDir = removeDir;
    this.endpoint = `127.0.0.1:${port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async stop(): Promise<void> {
    await this.kill();
    if (this.#removeDir) await rm(this.dir, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    await this.#process?.stop(0);
  }

  freeze(): void {
    this.#process?.signal("SIGSTOP");
  }

  thaw(): void {
    this.#process?.signal("SIGCONT");
  }

  async restart(options: { readonly wipe?: boolean } = {}): Promise<void> {
    await this.kill();
    if (options.wipe === true) await rm(this.dir, { recursive: true, force: true });
    const { command, args } = await this.#launch(this.#port, this.dir);
    const child = await spawnProcess(command, args);
    this.#process = child;
    await waitFor(
      () => {
        if (child.exit !== undefined) throw new Error(`${command} ended with ${child.exit}:\n${child.output}`);
        return listens(this.#port);
      },
      { timeoutMs: 20_000, intervalMs: 20, what: `${command} listens on ${this.#port}` },
    );
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

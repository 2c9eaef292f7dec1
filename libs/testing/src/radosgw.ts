/**
 * Ceph's S3 gateway on loopback: the most faithful S3 server that Debian offers, for integration tests. One monitor, one
 * object store daemon with its data in memory, and radosgw, as foreground processes of this one, so that each is stopped by its own
 * pid. Debian packages: ceph-mon ceph-osd radosgw ceph-common.
 */

import { randomUUID } from "node:crypto";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "./free-port.ts";
import { runProcess, type SpawnedProcess, spawnProcess } from "./spawn-process.ts";
import { waitFor } from "./wait-for.ts";

/** A running gateway. Buckets are made over S3. */
export interface Radosgw {
  /** "http://127.0.0.1:port"; virtual-host style is answered under "localhost". */
  readonly endpoint: string;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Stops every daemon and removes their data. Idempotent. */
  stop(): Promise<void>;
}

const PROGRAMS = ["ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/** Whether the programs are installed, so that a test can say what to install instead of failing obscurely. */
export async function hasRadosgw(): Promise<boolean> {
  const directories = (process.env.PATH ?? "").split(delimiter);
  const found = PROGRAMS.map((program) =>
    Promise.any(directories.map((directory) => access(join(directory, program)))),
  );
  return (await Promise.allSettled(found)).every((result) => result.status === "fulfilled");
}

/** Starts a gateway; takes some ten to twenty seconds. @throws Error naming the packages to install, or what failed. */
export async function startRadosgw(options: { readonly dir?: string } = {}): Promise<Radosgw> {
  if (!(await hasRadosgw())) {
    throw new Error("radosgw is not installed: apt-get install ceph-mon ceph-osd radosgw ceph-common");
  }
  if (options.dir !== undefined) await mkdir(options.dir, { recursive: true });
  // Ceph's admin sockets have long names beneath this directory, and a socket's path has at most 107 bytes.
  const dir = await mkdtemp(join(options.dir ?? tmpdir(), "rgw-"));
  const gateway = new Gateway(dir, await freePort(), await freePort());
  try {
    await gateway.start();
    return gateway;
  } catch (error) {
    await gateway.stop();
    throw error;
  }
}

const GATEWAY_START_MS = 30_000;
const GATEWAY_STARTS = 3;

class Gateway implements Radosgw {
  readonly port: number;
  readonly accessKeyId = "RADOSGWACCESSKEY";
  readonly secretAccessKey = "radosgw-secret-key-0123456789";
  readonly #dir: string;
  readonly #monitorPort: number;
  readonly #daemons: SpawnedProcess[] = [];
  #stopping: Promise<void> | undefined;

  constructor(dir: string, port: number, monitorPort: number) {
    this.#dir = dir;
    this.port = port;
    this.#monitorPort = monitorPort;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const fsid = randomUUID();
    const osd = randomUUID();
    for (const part of ["mon", "osd", "run", "log"]) await mkdir(join(this.#dir, part));
    await writeFile(join(this.#dir, "ceph.conf"), this.#configuration(fsid));
    await this.#makeKeys();
    const monitor = `[v2:127.0.0.1:${this.#monitorPort}]`;
    await this.#run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", monitor, "monmap"]);
    await this.#run("ceph-mon", ["--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring"]);
    await this.#daemon("ceph-mon", ["-f", "-i", "a"]);
    const secret = (await this.#run("ceph-authtool", ["keyring", "-n", "osd.0", "-p"])).trim();
    const params = JSON.stringify({ cephx_secret: secret });
    await this.#run("ceph", ["--connect-timeout", "20", "osd", "new", osd, "-i", "-"], params);
    await this.#run("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", osd]);
    await this.#daemon("ceph-osd", ["-f", "-i", "0"]);
    await this.#startGateway();
    const keys = ["--access-key", this.accessKeyId, "--secret-key", this.secretAccessKey];
    await this.#run("radosgw-admin", ["user", "create", "--uid", "test", "--display-name", "test", ...keys]);
  }

  /** A gateway whose first question to the object store was lost waits for ever: such a one is started again. */
  async #startGateway(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const gateway = await this.#daemon("radosgw", ["-f", "-n", "client.rgw.a", "--no-mon-config"]);
      try {
        await waitFor(
          async () => {
            if (gateway.exit !== undefined) throw new Error(gateway.output);
            return (await fetch(this.endpoint, { signal: AbortSignal.timeout(2000) })).ok;
          },
          { timeoutMs: GATEWAY_START_MS, intervalMs: 100, what: "radosgw to answer" },
        );
        return;
      } catch (error) {
        if (attempt === GATEWAY_STARTS) throw error;
        await gateway.stop(0);
      }
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    // Nothing here outlives the test, so there is nothing to end in order.
    for (const daemon of this.#daemons.reverse()) await daemon.stop(0);
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #makeKeys(): Promise<void> {
    const key = (name: string, ...capabilities: string[]) =>
      this.#run("ceph-authtool", [
        "keyring",
        "--gen-key",
        "-n",
        name,
        ...capabilities.flatMap((cap) => ["--cap", ...cap.split("=")]),
      ]);
    await this.#run("ceph-authtool", [
      "--create-keyring",
      "keyring",
      "--gen-key",
      "-n",
      "mon.",
      "--cap",
      "mon",
      "allow *",
    ]);
    await key("client.admin", "mon=allow *", "osd=allow *", "mgr=allow *");
    await key("client.rgw.a", "mon=allow rwx", "osd=allow rwx");
    await key("osd.0", "mon=allow profile osd", "osd=allow *", "mgr=allow profile osd");
  }

  #run(program: string, args: readonly string[], input?: string): Promise<string> {
    const env = { CEPH_CONF: join(this.#dir, "ceph.conf") };
    return runProcess(program, args, { cwd: this.#dir, env, timeoutMs: 90_000, ...(input !== undefined && { input }) });
  }

  async #daemon(program: string, args: readonly string[]): Promise<SpawnedProcess> {
    const env = { CEPH_CONF: join(this.#dir, "ceph.conf") };
    const daemon = await spawnProcess(program, args, { cwd: this.#dir, env, diesWithParent: true });
    this.#daemons.push(daemon);
    return daemon;
  }

  #configuration(fsid: string): string {
    return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${this.#monitorPort}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
ms bind ipv6 = false
run dir = ${this.#dir}/run
admin socket = ${this.#dir}/run/$name.asok
pid file = ${this.#dir}/run/$name.pid
log file = ${this.#dir}/log/$name.log
keyring = ${this.#dir}/keyring
[mon.a]
mon data = ${this.#dir}/mon
mon initial members = a
[osd]
osd data = ${this.#dir}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd op num threads per shard = 1
osd heartbeat min size = 0
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:${this.port} tcp_nodelay=1
rgw dns name = localhost
rgw run sync thread = false
rgw enable usage log = false
debug rgw = 0
`;
  }
}

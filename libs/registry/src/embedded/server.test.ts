import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { isRinglightError } from "@ringlight/core";
import { KVClient, LeaseClient, WatchClient, type WatchResponse } from "@ringlight/proto/etcd";
import { runProcess, spawnProcess, waitFor } from "@ringlight/testing";
import { RegistryEngine } from "./engine.ts";
import { type EmbeddedRegistry, type EmbeddedRegistryOptions, startEmbeddedRegistry } from "./server.ts";
import { SqliteFile } from "./sqlite-file.ts";
import { WatchStream } from "./watch-stream.ts";

const open = new Set<EmbeddedRegistry>();
let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "ringlight-embedded-"));
});
after(async () => {
  await Promise.all([...open].map((server) => server.close()));
  await chmod(root, 0o700);
  await rm(root, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedRegistryOptions> = {}): Promise<EmbeddedRegistry> {
  const server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0, ...options });
  open.add(server);
  return server;
}

/** Runs etcdctl against the server and returns its output. */
function etcdctl(server: EmbeddedRegistry, args: readonly string[], input = ""): Promise<string> {
  return runProcess("etcdctl", ["--endpoints", `127.0.0.1:${server.port}`, ...args], {
    env: { ETCDCTL_API: "3" },
    input,
    timeoutMs: 20_000,
  });
}

describe("etcdctl against the embedded registry", () => {
  it("puts, gets, deletes and looks into the past", async () => {
    const server = await start();
    await etcdctl(server, ["put", "a/1", "one"]);
    await etcdctl(server, ["put", "a/2", "two"]);
    await etcdctl(server, ["put", "b", "three"]);
    assert.equal(await etcdctl(server, ["get", "a/", "--prefix"]), "a/1\none\na/2\ntwo\n");
    assert.equal(
      await etcdctl(server, ["get", "", "--from-key", "--keys-only", "--order=DESCEND"]),
      "b\n\na/2\n\na/1\n\n",
    );
    assert.equal(
      await etcdctl(server, ["get", "", "--prefix", "--limit=1", "--sort-by=CREATE", "--order=DESCEND"]),
      "b\nthree\n",
    );
    assert.equal(await etcdctl(server, ["get", "a/1", "--rev=2"]), "a/1\none\n");
    assert.equal(await etcdctl(server, ["del", "a/", "--prefix", "--prev-kv"]), "2\na/1\none\na/2\ntwo\n");
    assert.equal(await etcdctl(server, ["get", "a/2", "--rev=4"]), "a/2\ntwo\n");
    await etcdctl(server, ["compact", "5"]);
    await assert.rejects(etcdctl(server, ["get", "a/2", "--rev=4"]), /required revision has been compacted/);
    await assert.rejects(etcdctl(server, ["get", "a/2", "--rev=99"]), /future revision/);
  });

  it("runs transactions", async () => {
    const server = await start();
    const script = 'create("key") = "0"\n\nput key made\n\nget key\n\n';
    assert.match(await etcdctl(server, ["txn"], script), /SUCCESS\n\nOK/);
    assert.match(await etcdctl(server, ["txn"], script), /FAILURE\n\nkey\nmade/);
  });

  it("says that it is healthy, and who it is", async () => {
    const server = await start();
    assert.match(await etcdctl(server, ["endpoint", "health"]), /is healthy/);
    assert.match(await etcdctl(server, ["endpoint", "status"]), new RegExp(`127.0.0.1:${server.port}, 1, 3\\.4`));
    assert.match(await etcdctl(server, ["member", "list"]), /started, embedded/);
  });

  it("grants, shows, renews and revokes leases", async () => {
    const server = await start();
    const id = (await etcdctl(server, ["lease", "grant", "60"])).split(" ")[1] ?? "";
    await etcdctl(server, ["put", "--lease", id, "leased", "1"]);
    assert.match(
      await etcdctl(server, ["lease", "timetolive", id, "--keys"]),
      /granted with TTL\(60s\).*attached keys\(\[leased\]\)/,
    );
    assert.match(await etcdctl(server, ["lease", "list"]), new RegExp(id));
    assert.match(await etcdctl(server, ["lease", "keep-alive", "--once", id]), /keepalived with TTL\(60\)/);
    await etcdctl(server, ["lease", "revoke", id]);
    assert.equal(await etcdctl(server, ["get", "leased"]), "");
    await assert.rejects(etcdctl(server, ["put", "--lease", id, "leased", "1"]), /requested lease not found/);
  });

  it("watches from a revision on, with previous values", async () => {
    const server = await start();
    await etcdctl(server, ["put", "w/a", "1"]);
    await etcdctl(server, ["put", "w/a", "2"]);
    const watch = await spawnProcess(
      "etcdctl",
      ["--endpoints", `127.0.0.1:${server.port}`, "watch", "w/", "--prefix", "--rev=2", "--prev-kv"],
      { env: { ETCDCTL_API: "3" } },
    );
    try {
      await watch.waitForLine(/PUT\nw\/a\n1\nPUT\nw\/a\n1\nw\/a\n2\n/);
      await etcdctl(server, ["del", "w/a"]);
      await watch.waitForLine(/DELETE\nw\/a\n2\nw\/a\n/);
    } finally {
      await watch.stop();
    }
  });

  it("elects and locks", async () => {
    const server = await start();
    assert.match(await etcdctl(server, ["lock", "mutex", "echo", "held"]), /held/);
    const first = await spawnProcess("etcdctl", ["--endpoints", `127.0.0.1:${server.port}`, "elect", "e", "one"], {
      env: { ETCDCTL_API: "3" },
    });
    try {
      await first.waitForLine(/e\/[0-9a-f]+\none\n/);
      const second = await spawnProcess("etcdctl", ["--endpoints", `127.0.0.1:${server.port}`, "elect", "e", "two"], {
        env: { ETCDCTL_API: "3" },
      });
      try {
        first.signal("SIGINT");
        await second.waitForLine(/e\/[0-9a-f]+\ntwo\n/);
      } finally {
        await second.stop();
      }
    } finally {
      await first.stop();
    }
  });
});

describe("the embedded registry", () => {
  it("names the port that is in use and what to do", async () => {
    const server = await start();
    await assert.rejects(
      startEmbeddedRegistry({ bind: "127.0.0.1", port: server.port }),
      (error) => isRinglightError(error, "RL_PORT_IN_USE") && error.message.includes(String(server.port)),
    );
  });

  it("refuses a directory that another one uses, and a damaged file", async () => {
    const dataDir = join(root, "shared");
    await start({ dataDir });
    await assert.rejects(start({ dataDir }), (error) => isRinglightError(error, "RL_CONFLICT"));
    const damaged = join(root, "damaged");
    await (await start({ dataDir: damaged })).close();
    for (const file of await readdir(damaged)) await writeFile(join(damaged, file), "not a database".repeat(1_000));
    await assert.rejects(
      start({ dataDir: damaged }),
      (error) => isRinglightError(error, "RL_INTERNAL") && error.message.includes("move the file away"),
    );
  });

  it("has after a restart what it had before: keys, revisions, leases with a new TTL, and history to resume from", async () => {
    const dataDir = join(root, "restart");
    const first = await start({ dataDir });
    const id = (await etcdctl(first, ["lease", "grant", "30"])).split(" ")[1] ?? "";
    await etcdctl(first, ["put", "a", "1"]);
    await etcdctl(first, ["put", "--lease", id, "leased", "1"]);
    await etcdctl(first, ["put", "a", "2"]);
    await etcdctl(first, ["del", "a"]);
    await first.close();
    const second = await start({ dataDir });
    assert.equal(await etcdctl(second, ["get", "a"]), "");
    assert.equal(await etcdctl(second, ["get", "a", "--rev=4"]), "a\n2\n");
    assert.match(
      await etcdctl(second, ["lease", "timetolive", id, "--keys"]),
      /remaining\((29|30)s\), attached keys\(\[leased\]\)/,
    );
    const responses: WatchResponse[] = [];
    const client = new WatchClient(`127.0.0.1:${second.port}`, credentials.createInsecure());
    const stream = client.watch();
    stream.on("data", (response: WatchResponse) => responses.push(response));
    stream.on("error", () => undefined);
    stream.write({ createRequest: { ...EMPTY_WATCH, key: Buffer.from("a"), startRevision: 3 } });
    await waitFor(() => responses.some((response) => response.events.length > 0));
    assert.deepEqual(
      responses.flatMap((response) => response.events.map((event) => event.kv?.value.toString())),
      ["2", ""],
    );
    stream.cancel();
    client.close();
    await etcdctl(second, ["lease", "revoke", id]);
    assert.equal(await etcdctl(second, ["get", "leased"]), "");
  });

  it("lets leases run out and deletes their keys in one revision", async () => {
    const server = await start();
    const lease = new LeaseClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const granted = await new Promise<number>((resolve, reject) =>
      lease.leaseGrant({ TTL: 1, ID: 0 }, (error, response) => (error ? reject(error) : resolve(response.ID))),
    );
    await etcdctl(server, ["put", "--lease", granted.toString(16), "x", "1"]);
    await etcdctl(server, ["put", "--lease", granted.toString(16), "y", "1"]);
    await waitFor(async () => (await etcdctl(server, ["get", "x"])) === "", { intervalMs: 100 });
    assert.equal(await etcdctl(server, ["get", "y"]), "");
    assert.match(await etcdctl(server, ["get", "x", "-w", "json"]), /"revision":4,/);
    lease.close();
  });

  it("runs as a process of its own without a warning, and ends on a signal", async () => {
    const main = new URL("../main.ts", import.meta.url).pathname;
    const child = await spawnProcess(process.execPath, [main, "--port", "0", "--data-dir", join(root, "process")]);
    await child.waitForLine(/listening 127\.0\.0\.1:\d+/);
    child.signal("SIGTERM");
    assert.equal(await child.waitForExit(), 0);
    assert.doesNotMatch(child.output, /warning/i);
    const wrong = await spawnProcess(process.execPath, [main, "--port", "x"]);
    assert.equal(await wrong.waitForExit(), 1);
    assert.match(wrong.output, /--port x is not a port/);
  });

  it("closes twice, and answers nobody afterwards", async () => {
    const server = await start();
    const client = new KVClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
    await Promise.all([server.close(), server.close()]);
    await assert.rejects(
      new Promise((resolve, reject) =>
        client.range(EMPTY_RANGE, (error, response) => (error ? reject(error) : resolve(response))),
      ),
      /UNAVAILABLE/,
    );
    client.close();
  });
});

describe("the engine of the embedded registry", () => {
  it("shows nothing that the disk refused, and goes on when it can write again", async () => {
    const disk = new SqliteFile(join(root, "refusing"));
    const write = disk.write.bind(disk);
    let refuse = false;
    disk.write = (changes) => {
      if (refuse) throw new Error("disk I/O error");
      write(changes);
    };
    const errors: unknown[] = [];
    const engine = new RegistryEngine({ clock: CLOCK, disk, onDiskError: (error) => errors.push(error) });
    const responses: WatchResponse[] = [];
    const stream = new WatchStream(engine, { write: (response) => responses.push(response) > 0 });
    engine.onCommit(() => stream.pump());
    stream.receive({ createRequest: { ...EMPTY_WATCH, key: Buffer.from("a") } });
    const put = (value: string) => engine.run(() => engine.mutate(() => engine.store.put("a", Buffer.from(value), 0)));
    await put("1");
    refuse = true;
    const read = () => engine.run(() => engine.store.get("a")?.value.toString());
    const results = await Promise.allSettled([put("2"), read()]);
    assert.deepEqual(
      results.map((result) => result.status),
      ["rejected", "rejected"],
      "neither the writer nor who saw the write",
    );
    assert.equal(await read(), "1");
    refuse = false;
    await put("3");
    assert.equal(await read(), "3");
    assert.deepEqual(
      responses.flatMap((response) => response.events.map((event) => event.kv?.value.toString())),
      ["1", "3"],
    );
    assert.equal(errors.length, 1);
    engine.close();
  });

  it("cancels a watcher that fell behind the kept history, and none that keeps up", async () => {
    const engine = new RegistryEngine({
      clock: CLOCK,
      historyLimits: { revisions: 20, bytes: 1e9 },
      onDiskError: () => undefined,
    });
    const slow: WatchResponse[] = [];
    const quick: WatchResponse[] = [];
    let drained = true;
    const slowStream = new WatchStream(engine, {
      write: (response) => {
        slow.push(response);
        return drained;
      },
    });
    const quickStream = new WatchStream(engine, { write: (response) => quick.push(response) > 0 });
    engine.onCommit(() => {
      slowStream.pump();
      quickStream.pump();
    });
    slowStream.receive({ createRequest: { ...EMPTY_WATCH, key: Buffer.from("a") } });
    quickStream.receive({ createRequest: { ...EMPTY_WATCH, key: Buffer.from("a") } });
    drained = false;
    for (let i = 0; i < 100; i++)
      await engine.run(() => engine.mutate(() => engine.store.put("a", Buffer.from(`${i}`), 0)));
    const eventsOf = (responses: WatchResponse[]) => responses.flatMap((response) => response.events).length;
    assert.equal(eventsOf(quick), 100);
    assert.equal(eventsOf(slow), 1, "what does not drain is not written to");
    drained = true;
    slowStream.onDrain();
    const last = slow.at(-1);
    assert.equal(last?.canceled, true);
    assert.ok((last?.compactRevision ?? 0) > 3, "with the revision to start from again");
    engine.close();
  });
});

const CLOCK = { now: () => Date.now(), monotonicMs: () => performance.now(), sleep: () => Promise.resolve() };
const EMPTY_WATCH = {
  key: Buffer.alloc(0),
  rangeEnd: Buffer.alloc(0),
  startRevision: 0,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0,
  fragment: false,
};
const EMPTY_RANGE = {
  key: Buffer.from("a"),
  rangeEnd: Buffer.alloc(0),
  limit: 0,
  revision: 0,
  sortOrder: 0 as const,
  sortTarget: 0 as const,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

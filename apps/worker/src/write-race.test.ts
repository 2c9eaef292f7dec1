/** Many writers and readers of the same keys at different workers: nothing stale, nothing torn. */
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { describe, it } from "node:test";
import { type Credentials, signRequest, UNSIGNED_PAYLOAD } from "@ringlight/sigv4";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

/** 50,000 is the full race; the suite runs a shorter one with the same seed. */
const OPERATIONS = Number(process.env.RINGLIGHT_RACE_OPERATIONS ?? 3_000);
const SEED = Number(process.env.RINGLIGHT_RACE_SEED ?? 20_261_123);
const CLIENTS = 24;
const KEYS = ["a", "dir/b", "dir/c d", "e&f", "g", "h"];

/** A seeded generator (mulberry32): numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes that say whose they are, in every stretch of them. */
function describing(key: string, sequence: number, length: number): Buffer {
  return Buffer.alloc(length, `${key}#${sequence}/${length};`);
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** One worker's S3 door, spoken to without a client library. */
class Door {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #host: string;
  readonly #credentials: Credentials;

  constructor(host: string, credentials: Credentials) {
    this.#host = host;
    this.#credentials = credentials;
  }

  send(method: string, key: string, headers: Record<string, string> = {}, body?: Buffer): Promise<Answer> {
    const path = `/bkt/${encodeURIComponent(key).replaceAll("%2F", "/")}`;
    const signed = signRequest(
      { method, url: { host: this.#host, rawUrl: path }, headers },
      { credentials: this.#credentials, region: "us-east-1", payloadHash: UNSIGNED_PAYLOAD },
    );
    const [host, port] = this.#host.split(":");
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent: this.#agent,
          host,
          port,
          method,
          path,
          setHost: false,
          headers: { ...signed, ...(body && { "content-length": body.length }) },
        },
        (response) => {
          const pieces: Buffer[] = [];
          response.on("data", (piece: Buffer) => pieces.push(piece));
          response.once("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
          response.once("error", reject);
        },
      );
      sent.setTimeout(20_000, () => sent.destroy(new Error("no answer")));
      sent.once("error", reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What is known of the writes of one key, in ticks of one counter: who precedes whom. */
class History {
  /** When each write was acknowledged, by its sequence; Infinity while it was not. */
  readonly #acknowledged = new Map<number, number>();
  /** The latest acknowledgement of a deletion; nothing was there at first. */
  #deletedUntil = 0;
  readonly #openDeletes = new Set<number>();
  /** The latest beginning of an acknowledged write: what was acknowledged before that is overwritten. */
  floor = 0;

  begin(sequence: number, deletes: boolean): void {
    if (deletes) this.#openDeletes.add(sequence);
    else this.#acknowledged.set(sequence, Number.POSITIVE_INFINITY);
  }

  acknowledge(sequence: number, deletes: boolean, beganAt: number, now: number): void {
    if (deletes) {
      this.#openDeletes.delete(sequence);
      this.#deletedUntil = now;
    } else this.#acknowledged.set(sequence, now);
    this.floor = Math.max(this.floor, beganAt);
  }

  /** Was what a read met overwritten before the read began? `floor` is as it was then. */
  isStale(sequence: number | undefined, floor: number): boolean {
    if (sequence === undefined) return this.#openDeletes.size === 0 && this.#deletedUntil < floor;
    return (this.#acknowledged.get(sequence) ?? 0) < floor;
  }
}

/** The race. @returns how many operations succeeded, by kind */
async function race(cluster: TestCluster, operations: number, atHalf: () => Promise<number | undefined>) {
  const doors: (Door | undefined)[] = [];
  for (const [index, worker] of cluster.workers.entries()) {
    const client = cluster.s3(index);
    const { accessKeyId, secretAccessKey } = await client.config.credentials();
    client.destroy();
    doors.push(new Door(worker.record.addresses.s3, { accessKeyId, secretAccessKey }));
  }
  const histories = new Map(KEYS.map((key) => [key, new History()]));
  const counts = { put: 0, get: 0, absent: 0, delete: 0, copy: 0, failed: 0 };
  let tick = 1;
  let begun = 0;
  let halved = false;
  const random = seeded(SEED);

  const write = async (door: Door, key: string, kind: "put" | "delete" | "copy") => {
    const history = histories.get(key) ?? new History();
    const beganAt = tick++;
    const sequence = beganAt;
    const deletes = kind === "delete";
    history.begin(sequence, deletes);
    const length = random() < 0.1 ? 200_000 + Math.floor(random() * 200_000) : 50 + Math.floor(random() * 5_000);
    const body = deletes ? undefined : describing(key, sequence, length);
    let answer: Answer;
    if (kind === "copy" && body !== undefined) {
      const source = `copied-${sequence}`;
      await door.send("PUT", source, {}, body);
      answer = await door.send("PUT", key, { "x-amz-copy-source": `/bkt/${source}` });
    } else answer = await door.send(deletes ? "DELETE" : "PUT", key, {}, body);
    if (answer.status >= 300) throw new Error(`${kind} of ${key}: ${answer.status} ${answer.body.toString()}`);
    history.acknowledge(sequence, deletes, beganAt, tick++);
    counts[kind]++;
  };
  const read = async (door: Door, key: string) => {
    const history = histories.get(key) ?? new History();
    const { floor } = history;
    tick++;
    const { status, body } = await door.send("GET", key);
    if (status === 404) {
      assert.ok(!history.isStale(undefined, floor), `${key} was not found after a write was acknowledged`);
      counts.absent++;
      return;
    }
    if (status !== 200) throw new Error(`read of ${key}: ${status} ${body.toString("latin1", 0, 300)}`);
    const match = /^([^#]+)#(\d+)\/(\d+);/.exec(body.toString("latin1", 0, 80));
    assert.equal(match?.[1], key);
    const sequence = Number(match?.[2]);
    assert.equal(body.length, Number(match?.[3]), "the length is the version's");
    assert.ok(body.equals(describing(key, sequence, body.length)), `the bytes of ${key} are of one version`);
    assert.ok(!history.isStale(sequence, floor), `${key}: version ${sequence} was read after it was overwritten`);
    counts.get++;
  };
  const client = async () => {
    while (begun < operations) {
      begun++;
      if (begun > operations / 2 && !halved) {
        halved = true;
        void atHalf().then((gone) => {
          if (gone !== undefined) doors[gone] = undefined;
        });
      }
      const index = Math.floor(random() * doors.length);
      const door = doors[index] ?? doors.find((open) => open !== undefined);
      const key = KEYS[Math.floor(random() * KEYS.length)] ?? "";
      const dice = random();
      try {
        assert.ok(door);
        if (dice < 0.65) await read(door, key);
        else await write(door, key, dice < 0.94 ? "put" : dice < 0.97 ? "delete" : "copy");
      } catch (error) {
        // A worker that ends takes the requests on its connections with it: they may or may not have had their effect.
        if (error instanceof assert.AssertionError || !halved) throw error;
        counts.failed++;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, client));
  } finally {
    for (const door of doors) door?.close();
  }
  return counts;
}

describe("writes and reads of the same keys at three workers", () => {
  for (const freshness of [{ kind: "ttl", ttlMs: 60_000 }, { kind: "immutable" }] as const) {
    it(`show no reader a version older than the last acknowledged one, nor a mix (${freshness.kind})`, async () => {
      const cluster = await startTestCluster(3, ["--page-size=64KiB"]);
      try {
        cluster.origin.createBucket("bkt");
        await cluster.mount("bkt", { readOnly: false, freshness });
        const counts = await race(cluster, OPERATIONS, async () => undefined);
        assert.equal(counts.failed, 0);
        assert.ok(counts.get > OPERATIONS / 3 && counts.put > OPERATIONS / 5 && counts.copy > 0 && counts.delete > 0);
      } finally {
        await cluster.close();
      }
    });
  }

  it("show neither while one of the workers ends", async () => {
    const cluster = await startTestCluster(3, ["--page-size=64KiB"]);
    try {
      cluster.origin.createBucket("bkt");
      await cluster.mount("bkt", { readOnly: false });
      const counts = await race(cluster, OPERATIONS / 2, async () => {
        await cluster.workers[1]?.close();
        return 1;
      });
      assert.ok(counts.get > OPERATIONS / 6);
    } finally {
      await cluster.close();
    }
  });
});

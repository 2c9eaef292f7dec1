/**
 * A race of writers and readers over the same keys at several S3 doors, with a judge: no read may meet a state that was
 * overwritten before the read began, no bytes of two versions, and no end before that of the version that it began with.
 * Bodies say in every stretch of them whose they are.
 */
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { type Credentials, signRequest, UNSIGNED_PAYLOAD } from "@ringlight/sigv4";

/** How to race. */
export interface WriteRaceOptions {
  /** S3 doors, as host:port. */
  readonly doors: readonly { readonly host: string; readonly credentials: Credentials }[];
  readonly bucket: string;
  readonly operations: number;
  /** Default 24. */
  readonly clients?: number;
  /** Default 20261123. */
  readonly seed?: number;
  /** Called when half of the operations have begun; until then none may fail. */
  readonly atHalf?: () => Promise<void>;
}

/** Operations that succeeded, by kind; `absent` reads met no object. `failed` ones may or may not have had their effect. */
export interface WriteRaceCounts {
  put: number;
  get: number;
  absent: number;
  delete: number;
  copy: number;
  failed: number;
}

const KEYS = ["a", "dir/b", "dir/c d", "e&f", "g", "h"];
/** Longest silence of a door, milliseconds. */
const SILENCE_MS = 20_000;

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
  /** How the worker says that it came by the answer. */
  readonly how: string;
}

/** One worker's S3 door, spoken to without a client library. */
class Door {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #host: string;
  readonly #credentials: Credentials;
  readonly #bucket: string;

  constructor(host: string, credentials: Credentials, bucket: string) {
    this.#host = host;
    this.#credentials = credentials;
    this.#bucket = bucket;
  }

  send(method: string, key: string, headers: Record<string, string> = {}, body?: Buffer): Promise<Answer> {
    const path = `/${this.#bucket}/${encodeURIComponent(key).replaceAll("%2F", "/")}`;
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
          response.once("end", () => {
            const { "cache-status": cache, "x-amz-id-2": worker } = response.headers;
            const how = `${worker}: ${cache}`;
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces), how });
          });
          response.once("error", reject);
        },
      );
      sent.setTimeout(SILENCE_MS, () => sent.destroy(new Error("no answer")));
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

/** Runs a race. @throws AssertionError for a stale or mixed read, and what failed before the half */
export async function runWriteRace(options: WriteRaceOptions): Promise<WriteRaceCounts> {
  const { operations, bucket } = options;
  const doors = options.doors.map(({ host, credentials }) => new Door(host, credentials, bucket));
  const histories = new Map(KEYS.map((key) => [key, new History()]));
  const counts: WriteRaceCounts = { put: 0, get: 0, absent: 0, delete: 0, copy: 0, failed: 0 };
  let tick = 1;
  let begun = 0;
  let halved = false;
  let halfway: Promise<void> | undefined;
  const random = seeded(options.seed ?? 20_261_123);

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
      answer = await door.send("PUT", key, { "x-amz-copy-source": `/${bucket}/${source}` });
    } else answer = await door.send(deletes ? "DELETE" : "PUT", key, {}, body);
    if (answer.status >= 300) throw new Error(`${kind} of ${key}: ${answer.status} ${answer.body.toString()}`);
    history.acknowledge(sequence, deletes, beganAt, tick++);
    counts[kind]++;
  };
  const read = async (door: Door, key: string) => {
    const history = histories.get(key) ?? new History();
    const { floor } = history;
    tick++;
    const beganMs = performance.now();
    // An answer that is cut off is a failure, too: bodies are short enough to be finished whatever overtakes them.
    const { status, body, how } = await door.send("GET", key);
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
    assert.ok(
      !history.isStale(sequence, floor),
      `${key}: version ${sequence} was read after it was overwritten, ${Math.round(performance.now() - beganMs)} ms after it was asked for (${how})`,
    );
    counts.get++;
  };
  const client = async () => {
    while (begun < operations) {
      begun++;
      if (begun > operations / 2 && !halved) {
        halved = true;
        halfway = options.atHalf?.();
        halfway?.catch(() => undefined);
      }
      const index = Math.floor(random() * doors.length);
      const door = doors[index];
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
        // A door that is shut refuses at once: not to run through all operations meanwhile.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: options.clients ?? 24 }, client));
    await halfway;
  } finally {
    for (const door of doors) door.close();
  }
  return counts;
}

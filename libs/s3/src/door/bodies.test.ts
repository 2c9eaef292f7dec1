import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { releasePooled } from "@ringlight/core";
import { waitFor } from "@ringlight/testing";
import type { S3Request } from "../exchange.ts";
import type { S3Handler } from "../handler.ts";
import { bodyPieces } from "../write/body-pieces.ts";
import { readInto } from "./own-reads.ts";
import { S3Door } from "./s3-door.ts";

/** What became of the requests. */
interface Seen {
  readonly requests: S3Request[];
  readonly failures: unknown[];
}

/** Answers /echo with length and hash of the body, in memory that is given back; /ignore at once, the body unread. */
async function start(t: TestContext): Promise<{ open: () => Socket; seen: Seen }> {
  const seen: Seen = { requests: [], failures: [] };
  const handler: S3Handler = (req, res) => {
    seen.requests.push(req);
    const answer = (text: string) => {
      res.writeHead(200, { "Content-Length": text.length });
      res.end(text);
    };
    if (req.url === "/ignore") {
      answer("ignored");
      return;
    }
    const echo = async () => {
      const hash = createHash("sha1");
      let bytes = 0;
      for await (const piece of bodyPieces(req, res, 60_000)) {
        // Not looked at until later, as a piece that waits for the store is not.
        await setImmediate();
        hash.update(piece);
        bytes += piece.length;
        releasePooled(piece);
      }
      answer(`${bytes} ${hash.digest("hex")}`);
    };
    echo().catch((error: unknown) => {
      seen.failures.push(error);
      res.destroy();
    });
  };
  const httpServer = createServer({ keepAliveTimeout: 60_000 }, handler);
  const door = new S3Door({
    httpServer,
    handler,
    keepAliveTimeoutMs: 60_000,
    headTimeoutMs: 60_000,
    stallTimeoutMs: 60_000,
  });
  await new Promise<void>((resolve) => door.server.listen(0, "127.0.0.1", resolve));
  t.after(() => door.close(0));
  const { port } = door.server.address() as AddressInfo;
  const open = () => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
    return socket;
  };
  return { open, seen };
}

/** A small generator of numbers (mulberry32), so that a failure can be repeated by its seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const echoOf = (body: Buffer) => `${body.length} ${createHash("sha1").update(body).digest("hex")}`;

/** Bytes of the answers on a connection, and their bodies as they become whole. */
function answersOf(socket: Socket): { bodies: () => string[] } {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const bodies = () => {
    const found: string[] = [];
    let text = Buffer.concat(chunks).toString("latin1");
    for (;;) {
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return found;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return found;
      if (!text.startsWith("HTTP/1.1 100")) found.push(text.slice(end + 4, end + 4 + length));
      text = text.slice(end + 4 + length);
    }
  };
  return { bodies };
}

test("bodies of any size arrive whole, however they are cut and pipelined, and so does what comes behind them", async (t) => {
  const seed = Number(process.env.RL_FUZZ_SEED ?? 20_261_127);
  const next = numbers(seed);
  const { open } = await start(t);
  const noise = Buffer.alloc(3 * 1024 * 1024);
  for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE(next(2 ** 31), at);
  const sizes = [0, 1, 100, 32_768, 65_400, 65_536, 102_400, 262_143, 262_144, 262_145, 1_048_576, 2_500_000];
  for (let round = 0; round < 12; round++) {
    const socket = open();
    await once(socket, "connect");
    const { bodies } = answersOf(socket);
    const sent: Buffer[] = [];
    const expected: string[] = [];
    for (let count = 2 + next(6); count > 0; count--) {
      const kind = next(6);
      const from = next(1000);
      const body = noise.subarray(from, from + (sizes[next(sizes.length)] ?? 0));
      if (kind === 0) {
        sent.push(Buffer.from("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"));
        expected.push(echoOf(Buffer.alloc(0)));
      } else {
        const url = kind === 1 ? "/ignore" : "/echo";
        sent.push(Buffer.from(`PUT ${url} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`), body);
        expected.push(kind === 1 ? "ignored" : echoOf(body));
      }
    }
    // At last something for node:http, which takes the connection over; one of the bodies there is chunked.
    sent.push(Buffer.from("PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
    sent.push(Buffer.from("PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"));
    expected.push(echoOf(Buffer.from("abc")), echoOf(Buffer.from("xyz")));
    const bytes = Buffer.concat(sent);
    for (let at = 0; at < bytes.length; ) {
      const length = next(3) === 0 ? 1 + next(200) : 1 + next(400_000);
      if (!socket.write(bytes.subarray(at, at + length))) await once(socket, "drain");
      at += length;
      if (next(2) === 0) await setImmediate();
    }
    await waitFor(() => bodies().length === expected.length || socket.destroyed, {
      timeoutMs: 60_000,
      what: `${expected.length} answers, seed ${seed}, round ${round}`,
    });
    assert.deepEqual(bodies(), expected, `seed ${seed}, round ${round}`);
    socket.destroy();
  }
});

test("a client that waits for it is told to continue, and one that leaves is noticed in mid-body", async (t) => {
  const { open, seen } = await start(t);
  const waiting = open();
  waiting.write("PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const [told] = (await once(waiting, "data")) as [Buffer];
  assert.match(told.toString(), /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  const { bodies } = answersOf(waiting);
  waiting.write("abc");
  await waitFor(() => bodies().length === 1, { timeoutMs: 60_000, what: "the answer" });
  assert.deepEqual(bodies(), [echoOf(Buffer.from("abc"))]);
  for (const leave of ["end", "destroy"] as const) {
    const leaver = open();
    leaver.write(`PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(300_000)}`);
    const before = seen.failures.length;
    await waitFor(() => seen.requests.some((req) => req.headers["content-length"] === "1000000" && !req.destroyed), {
      timeoutMs: 60_000,
      what: "the request",
    });
    leaver[leave]();
    await waitFor(() => seen.failures.length > before, { timeoutMs: 60_000, what: "the upload to fail" });
  }
});

test("a slow handler makes the client wait: no more than some pieces of a large body are held", async (t) => {
  let given = 0;
  let wake: () => void = () => undefined;
  const handler: S3Handler = (req, res) => {
    const read = async () => {
      for await (const piece of bodyPieces(req, res, 60_000)) {
        given += piece.length;
        if (given === piece.length) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      res.writeHead(200, { "Content-Length": 0 });
      res.end();
    };
    read().catch(() => res.destroy());
  };
  const httpServer = createServer(handler);
  const options = { httpServer, handler, keepAliveTimeoutMs: 60_000, headTimeoutMs: 60_000, stallTimeoutMs: 60_000 };
  const door = new S3Door(options);
  await new Promise<void>((resolve) => door.server.listen(0, "127.0.0.1", resolve));
  t.after(() => door.close(0));
  let accepted: Socket | undefined;
  door.server.on("connection", (socket: Socket) => {
    accepted = socket;
  });
  const client = connect((door.server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => client.destroy());
  const size = 64 * 1024 * 1024;
  client.write(`PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`);
  client.write(Buffer.alloc(size));
  let before = -1;
  await waitFor(
    () => {
      const read = accepted?.bytesRead ?? 0;
      const stands = read > 0 && read === before;
      before = read;
      return stands;
    },
    { timeoutMs: 60_000, intervalMs: 100, what: "the connection to be read no further" },
  );
  assert.ok(before < 4 * 1024 * 1024, `${before} bytes were read`);
  wake();
  const [answer] = (await once(client, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200/);
  assert.equal(given, size);
});

test("this Node lets an accepted connection be read into memory of ours", async (t) => {
  // Where one does not, bodies go on coming as events, at more cost: that Node has to be looked at.
  const { open, seen } = await start(t);
  const socket = open();
  socket.write("PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  await once(socket, "data");
  assert.equal(seen.requests[0]?.pooled, true);
  const nowhere = readInto(
    new Socket(),
    () => Buffer.alloc(1),
    () => true,
  );
  assert.equal(nowhere, false, "a socket without a handle");
});

import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { waitFor } from "@ringlight/testing";
import { HttpBody } from "./http-body.ts";
import { type Http1Response, StaleConnection } from "./http1-connection.ts";
import { MalformedResponse } from "./http1-head.ts";
import { Http1Pool, SilentStore } from "./http1-pool.ts";

let server: Server;
let sockets: Socket[];
/** Called for each request, which is one read here. */
let answer: (socket: Socket, request: string) => void;
let pool: Http1Pool;
const signal = new AbortController().signal;

beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => answer(socket, bytes.toString("latin1")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const lookup = () => assert.fail("an address needs no look-up");
  pool = new Http1Pool({ hostname: "127.0.0.1", port: address.port, secure: false, lookup, maxIdle: 8 });
});

afterEach(async () => {
  pool.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const get = (timeoutMs = 5000) => pool.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, timeoutMs, signal);

async function textOf(response: Http1Response): Promise<string> {
  const body = new HttpBody(response, 5000);
  let text = "";
  for (let piece = await body.next(); piece !== "end"; piece = await body.next()) {
    if (typeof piece === "string") throw new Error(piece);
    text += piece.toString("latin1");
  }
  return text;
}

/** Receives into one buffer of the body's size. */
function into(response: Http1Response, memory: Buffer): Promise<unknown> {
  let at = 0;
  return new Promise((resolve) =>
    response.receive({
      space: () => memory.subarray(at),
      advance: (length) => {
        at += length;
      },
      ended: (how) => resolve(how === "end" ? at : how),
    }),
  );
}

/** Sends bytes one piece after the other, each in a packet of its own as far as the system lets it. */
async function send(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(piece, "latin1", () => setImmediate(resolve)));
  }
}

test("an answer is the same wherever its bytes are split, with a length and in chunks", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  ];
  for (const text of answers) {
    for (let split = 1; split < text.length; split++) {
      answer = (socket) => void send(socket, [text.slice(0, split), text.slice(split)]);
      const response = await get();
      assert.equal(response.status, 200);
      assert.equal(await textOf(response), "hello", `split at ${split}`);
    }
  }
  assert.equal(sockets.length, 1, "one connection carried them all");
});

test("a body of a known length lands in the receiver's memory, and the connection is used again", async () => {
  const bytes = Buffer.alloc(3_000_000, "0123456789abcdef");
  answer = (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes);
  };
  for (let round = 0; round < 5; round++) {
    const memory = Buffer.alloc(bytes.length);
    assert.equal(await into(await get(), memory), bytes.length);
    assert.ok(memory.equals(bytes));
  }
  assert.equal(sockets.length, 1);
});

test("a body without a length ends with the connection, and one with a length that ends early is not whole", async () => {
  answer = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nto the end");
  assert.equal(await textOf(await get()), "to the end");
  answer = (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  await assert.rejects(get().then(textOf), { message: "closed" });
  answer = (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n");
  await assert.rejects(get().then(textOf), { message: "closed" });
  answer = (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\nreset", () => socket.resetAndDestroy());
  };
  await assert.rejects(get().then(textOf), { message: "closed" });
});

test("what is no answer is an error at once, and its connection is not used again", async () => {
  const garbage = [
    "SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
    "\x16\x03\x01\x02\x00\x01",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    `HTTP/1.1 200 OK\r\nA: ${"a".repeat(70_000)}`,
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20),
  ];
  for (const text of garbage) {
    answer = (socket) => socket.write(text, "latin1");
    await assert.rejects(get(), MalformedResponse, JSON.stringify(text.slice(0, 40)));
  }
  answer = (socket) => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  await assert.rejects(get().then(textOf), MalformedResponse);
  assert.equal(pool.connections, 0);
});

test("bytes behind an answer never become part of the next one", async () => {
  answer = (socket) =>
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  assert.equal(await textOf(await get()), "ok");
  assert.equal(await textOf(await get()), "ok");
  assert.equal(sockets.length, 2);
  answer = (socket) => void send(socket, ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]);
  assert.equal(await textOf(await get()), "ok");
  // Bytes that come while nothing was asked for end the connection.
  sockets.at(-1)?.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  await waitFor(() => pool.connections === 0);
  assert.equal(await textOf(await get()), "ok");
});

test("a kept connection that died is told from a store that resets", async () => {
  answer = (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.equal(await textOf(await get()), "ok");
  answer = (socket) => socket.resetAndDestroy();
  await assert.rejects(get(), StaleConnection);
  await assert.rejects(get(), { code: "ECONNRESET" });
  answer = (socket) => socket.end();
  await assert.rejects(get(), { code: "ECONNRESET" });
});

test("an idle connection that the store closes is noticed and not used", async () => {
  answer = (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.equal(await textOf(await get()), "ok");
  sockets[0]?.end();
  await waitFor(() => pool.connections === 0);
  assert.equal(await textOf(await get()), "ok");
});

test("silence is told after its time, and a caller that leaves frees the connection", async () => {
  answer = () => undefined;
  await assert.rejects(get(50), SilentStore);
  const leaving = new AbortController();
  const reason = new Error("gone");
  answer = () => leaving.abort(reason);
  await assert.rejects(pool.exchange("GET / HTTP/1.1\r\n\r\n", false, 5000, leaving.signal), reason);
  assert.equal(pool.connections, 0);
});

test("a paused body is not read ahead without bound, and closing the pool ends what is under way", async () => {
  let sent = 0;
  answer = (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const block = Buffer.alloc(1 << 20);
    const more = () => {
      while (socket.write(block)) sent += block.length;
      sent += block.length;
    };
    socket.on("drain", more);
    more();
  };
  const body = new HttpBody(await get(), 5000);
  const piece = await body.next();
  assert.ok(piece instanceof Uint8Array);
  // The window of the connection is full when nothing more is taken for three turns.
  let before = -1;
  await waitFor(
    () => {
      const still = before === sent;
      before = sent;
      return still;
    },
    { intervalMs: 100 },
  );
  assert.ok(sent < 64 << 20, `${sent} bytes left the store`);
  pool.close();
  let last: unknown = piece;
  while (last instanceof Uint8Array) last = await body.next();
  assert.equal(last, "closed");
});

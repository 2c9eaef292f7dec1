import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { ensureNative, loadNative } from "@ringlight/native";
import { waitFor } from "@ringlight/testing";
import type { S3Handler } from "../handler.ts";
import type { HitAnswer } from "./hit.ts";
import { copyingSender, sendfileSender } from "./page-sender.ts";
import { S3Door, type S3DoorOptions } from "./s3-door.ts";

ensureNative();
const loaded = loadNative();

/** Answers "/hit<bytes>" from a file of zeros, and counts. */
class FileHits {
  readonly done: { sent: number; aborted: boolean }[] = [];
  damaged = 0;
  fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  answer(url: string, into: Buffer): HitAnswer | undefined {
    const bytes = /^\/hit(\d+)$/.exec(url)?.[1];
    if (bytes === undefined) return undefined;
    const headLength = into.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`, "latin1");
    return {
      headLength,
      fd: this.fd,
      position: 0,
      lengthBytes: Number(bytes),
      next: () => false,
      rest: () => undefined,
      damaged: () => {
        this.damaged++;
      },
      done: (sent, aborted) => {
        this.done.push({ sent, aborted });
      },
    };
  }
}

interface Started {
  readonly door: S3Door;
  readonly hits: FileHits;
  /** Answers of the general handler that wait for the test. */
  readonly waiting: (() => void)[];
  open(): Socket;
}

const FILE_BYTES = 32 * 1024 * 1024;

async function start(t: TestContext, change: Partial<S3DoorOptions> = {}): Promise<Started> {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-door-"));
  writeFileSync(join(directory, "page"), Buffer.alloc(FILE_BYTES));
  const fd = openSync(join(directory, "page"), "r");
  const hits = new FileHits(fd);
  const waiting: (() => void)[] = [];
  const handler: S3Handler = (req, res) => {
    const answer = () => {
      res.writeHead(200, { "Content-Length": 2 });
      res.end("ok");
    };
    if (req.url === "/wait") waiting.push(answer);
    else answer();
  };
  const door = new S3Door({
    httpServer: createServer({ keepAliveTimeout: 60_000 }, handler),
    handler,
    hits: (head, into) => hits.answer(head.url, into),
    keepAliveTimeoutMs: 60_000,
    headTimeoutMs: 60_000,
    stallTimeoutMs: 60_000,
    ...change,
  });
  await new Promise<void>((resolve) => door.server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    await door.close(0);
    closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
  });
  const { port } = door.server.address() as AddressInfo;
  return {
    door,
    hits,
    waiting,
    open: () => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", () => undefined);
      t.after(() => socket.destroy());
      return socket;
    },
  };
}

const get = (url: string) => `GET ${url} HTTP/1.1\r\nHost: h\r\n\r\n`;

async function textUntilEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks).toString("latin1");
}

test("a head that never ends is answered with 408, and an idle connection is closed without a word", async (t) => {
  const { open } = await start(t, { headTimeoutMs: 300, keepAliveTimeoutMs: 300 });
  const silent = open();
  const slow = open();
  slow.write("GET /hit1 HTTP/1.1\r\nHost:");
  const idle = open();
  idle.write(get("/hit5"));
  const [none, half, whole] = await Promise.all([silent, slow, idle].map(textUntilEnd));
  assert.match(none ?? "", /^HTTP\/1\.1 408/);
  assert.match(half ?? "", /^HTTP\/1\.1 408/);
  assert.equal(whole, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0");
});

test("a request that came before its idle connection was closed is answered, however long nothing could be read", async (t) => {
  const { door } = await start(t, { keepAliveTimeoutMs: 300 });
  // Another thread asks while this one, which holds the door, stands still, until the connection has been idle for too long.
  const still = new Int32Array(new SharedArrayBuffer(4));
  const source = `
    const { workerData, parentPort } = require("node:worker_threads");
    const socket = require("node:net").connect(workerData.port, "127.0.0.1");
    const request = "PUT /k HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 0\\r\\n\\r\\n";
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      const answers = text.split("HTTP/1.1 200 OK").length - 1;
      if (answers === 1) {
        parentPort.postMessage("first");
        Atomics.wait(workerData.still, 0, 0);
        socket.write(request);
      } else if (answers === 2) {
        parentPort.postMessage("second");
        socket.destroy();
      }
    });
    socket.on("close", () => parentPort.postMessage("closed"));
    socket.write(request);`;
  const { port } = door.server.address() as AddressInfo;
  const asking = new Worker(source, { eval: true, workerData: { port, still } });
  t.after(() => asking.terminate());
  assert.deepEqual(await once(asking, "message"), ["first"]);
  Atomics.store(still, 0, 1);
  Atomics.notify(still, 0);
  Atomics.wait(still, 0, 1, 2_500);
  assert.deepEqual(await once(asking, "message"), ["second"]);
});

test("closing ends idle connections at once, also those of node:http, and busy ones behind their answer", async (t) => {
  const { door, open, waiting } = await start(t);
  const idle = open();
  idle.write(get("/hit1"));
  await once(idle, "data");
  const handedOver = open();
  handedOver.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
  await once(handedOver, "data");
  const busy = open();
  busy.write(get("/wait"));
  await waitFor(() => waiting.length === 1, { what: "the request" });
  const closed = door.close(10_000);
  await Promise.all([idle, handedOver].map((socket) => once(socket.resume(), "end")));
  const answer = textUntilEnd(busy);
  waiting[0]?.();
  assert.match(await answer, /^HTTP\/1\.1 200 OK.*ok$/s);
  busy.end();
  await closed;
});

test("a connection that will not end is cut after the grace", async (t) => {
  const { door, open, waiting } = await start(t);
  const busy = open();
  busy.write(get("/wait"));
  await waitFor(() => waiting.length === 1, { what: "the request" });
  await Promise.all([door.close(50), once(busy.resume(), "end")]);
});

test("what is handed over behind answers is answered by node:http, unless the client has ended its side", async (t) => {
  const { open, hits } = await start(t);
  const odd = "OPTIONS /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const staying = open();
  staying.write(get("/hit3") + get("/general") + odd);
  assert.equal((await textUntilEnd(staying)).match(/HTTP\/1\.1 200 OK/g)?.length, 3);
  const leaving = open();
  leaving.end(get(`/hit${FILE_BYTES}`) + odd);
  leaving.pause();
  await once(leaving, "readable");
  let length = 0;
  leaving.on("data", (chunk: Buffer) => {
    length += chunk.length;
  });
  await once(leaving, "end");
  assert.ok(length > FILE_BYTES);
  assert.deepEqual(hits.done.at(-1), { sent: FILE_BYTES, aborted: false });
});

const senders = { "by copying": copyingSender, ...(loaded.native && { "by sendfile": sendfileSender(loaded.native) }) };
for (const [name, sender] of Object.entries(senders)) {
  test(`${name}: a client that takes nothing of a hit is cut off, and so is one whose page cannot be read`, async (t) => {
    const { open, hits } = await start(t, { sender, stallTimeoutMs: 300 });
    const stalled = open();
    stalled.write(get(`/hit${FILE_BYTES}`));
    await once(stalled, "readable");
    await waitFor(() => hits.done.length === 1, { timeoutMs: 10_000, what: "the cut" });
    assert.equal(hits.done[0]?.aborted, true);
    assert.ok((hits.done[0]?.sent ?? 0) < FILE_BYTES);
    const short = open();
    short.write(get(`/hit${FILE_BYTES + 1000}`));
    short.resume();
    await once(short, "end");
    assert.equal(hits.damaged, 1);
    assert.equal(hits.done[1]?.aborted, true);
  });

  test(`${name}: one connection does not keep others waiting, and answers stay in order`, async (t) => {
    const { open } = await start(t, { sender });
    const large = open();
    large.write(get(`/hit${FILE_BYTES}`).repeat(4));
    large.resume();
    const small = open();
    for (let turn = 0; turn < 20; turn++) {
      small.write(get("/hit4") + get("/general"));
      let text = "";
      while (!text.endsWith("ok")) text += String((await once(small, "data"))[0]);
      assert.match(text, /^HTTP\/1\.1 200 OK\r\nContent-Length: 4\r\n\r\n\0{4}HTTP\/1\.1 200 OK/);
    }
  });
}

test("heads that come in pieces of any length, behind each other, are answered in order", async (t) => {
  const { open, hits } = await start(t);
  const text = Array.from({ length: 12 }, (_, index) => get(`/hit${index}`)).join("");
  for (const piece of [1, 7, 41, text.length]) {
    const socket = open();
    socket.setNoDelay(true);
    for (let at = 0; at < text.length; at += piece) {
      socket.write(text.slice(at, at + piece));
      // A turn of the loop that both sides share: the pieces are read one by one.
      if (piece < text.length) await new Promise(setImmediate);
    }
    socket.end();
    const answers = await textUntilEnd(socket);
    assert.deepEqual(
      [...answers.matchAll(/Content-Length: (\d+)/g)].map(([, length]) => Number(length)),
      Array.from({ length: 12 }, (_, index) => index),
    );
  }
  assert.equal(hits.done.length, 48);
});

test("bytes behind an upgrade reach who took the connection over, though the door read its beginning", async (t) => {
  const { door, open } = await start(t);
  door.options.httpServer.on("upgrade", (_req, socket: Socket, head: Buffer) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.write(head);
    socket.on("data", (chunk: Buffer) => socket.write(chunk));
    socket.on("end", () => socket.end());
  });
  const socket = open();
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.write(get("/hit3"));
  await waitFor(() => text.endsWith("\0\0\0"), { what: "the hit" });
  socket.write("GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst,");
  await waitFor(() => text.endsWith("first,"), { what: "the bytes behind the head" });
  for (const word of ["second,", "third,", "x".repeat(300_000)]) {
    socket.write(word);
    await waitFor(() => text.endsWith(word), { what: "the echo" });
  }
  socket.end();
  await once(socket, "close");
});

test("how long a client takes nothing is counted from its request, not from what it did before it was idle", async (t) => {
  const stallTimeoutMs = 1_500;
  let held = 0;
  // Takes the second answer, and sends nothing of it.
  const sender: S3DoorOptions["sender"] = (socket, events) => {
    const copying = copyingSender(socket, events);
    return {
      send: (answer, head, isLast) => held++ === 0 && copying.send(answer, head, isLast),
      close: () => copying.close(),
    };
  };
  const { open, hits } = await start(t, { sender, stallTimeoutMs });
  const socket = open();
  socket.write(get("/hit1"));
  await once(socket, "data");
  await new Promise((resolve) => setTimeout(resolve, stallTimeoutMs + 300));
  const askedMs = performance.now();
  socket.write(get("/hit2"));
  await waitFor(() => hits.done.length === 2, { timeoutMs: 10_000, what: "the cut" });
  assert.equal(hits.done[1]?.aborted, true);
  assert.ok(performance.now() - askedMs >= stallTimeoutMs - 50);
});

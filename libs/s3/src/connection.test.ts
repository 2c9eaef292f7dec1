import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type ByteRange, RinglightError, type StopSignal } from "@ringlight/core";
import { waitFor } from "@ringlight/testing";
import type { ReadBody, S3Read } from "./backend.ts";
import { MemoryBackend } from "./memory-backend.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** Serves bodies that the test makes. */
class BodyBackend extends MemoryBackend {
  makeBody: (range: ByteRange, signal: StopSignal) => ReadBody = () => [][Symbol.iterator]() as never;

  override async read(...args: Parameters<MemoryBackend["read"]>): Promise<S3Read> {
    const read = await super.read(...args);
    if (read.outcome !== "ok" || !read.range) return read;
    return { ...read, body: this.makeBody(read.range, args[3].signal) };
  }
}

async function start(
  t: TestContext,
  sizeBytes: number,
  makeBody: BodyBackend["makeBody"],
  stallTimeoutMs = 60_000,
  front?: "http",
): Promise<TestServer> {
  const backend = new BodyBackend();
  backend.addBucket("bkt");
  backend.put("bkt", "key", Buffer.alloc(sizeBytes));
  backend.makeBody = makeBody;
  const server = await startTestServer({ anonymous: () => true, stallTimeoutMs }, backend, front);
  t.after(() => server.close());
  return server;
}

const GET = "GET /bkt/key HTTP/1.1\r\nHost: h\r\n\r\n";

test("a body that fails before its first byte is answered with an error", async (t) => {
  // biome-ignore lint/correctness/useYield: the failure comes before the first bytes
  const server = await start(t, 100, async function* () {
    throw new RinglightError("RL_UFS_UNAVAILABLE", "the store is away");
  });
  const answer = await server.ask("/bkt/key");
  assert.deepEqual([answer.status, answer.code], [503, "ServiceUnavailable"]);
});

test("a body that fails in the middle cuts the connection and never completes", async (t) => {
  const server = await start(t, 100, async function* () {
    yield Buffer.alloc(60);
    await setImmediate();
    throw new RinglightError("RL_VERSION_CHANGED", "the object changed");
  });
  const answer = await server.raw(GET);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 200 .*Content-Length: 100/s);
  assert.ok(body.length < 100);
  assert.equal(server.done[0]?.aborted, true);
});

test("a body that is too short or too long cuts the connection", async (t) => {
  for (const length of [99, 101]) {
    const server = await start(t, 100, async function* () {
      yield Buffer.alloc(50);
      yield Buffer.alloc(length - 50);
    });
    const body = (await server.raw(GET)).split("\r\n\r\n")[1] ?? "";
    assert.ok(body.length < 100, `${body.length} bytes for ${length}`);
    assert.equal(server.done[0]?.aborted, true);
  }
});

test("a body given as a function writes to the response itself, and is cut when it fails", async (t) => {
  const good = await start(t, 100, () => async (response) => {
    response.end(Buffer.alloc(100, 7));
  });
  const answer = await good.ask("/bkt/key");
  assert.deepEqual([answer.status, answer.body.length, good.done[0]?.bytesOut], [200, 100, 100]);
  const bad = await start(t, 100, () => async (response) => {
    response.write(Buffer.alloc(10));
    throw new Error("disk gone");
  });
  assert.ok(((await bad.raw(GET)).split("\r\n\r\n")[1] ?? "").length < 100);
});

test("a client that leaves aborts the signal, stops the source and is reported", async (t) => {
  let signal: StopSignal | undefined;
  let returned = false;
  const server = await start(t, 1 << 30, async function* (_, given) {
    signal = given;
    try {
      for (;;) yield Buffer.alloc(1 << 16);
    } finally {
      returned = true;
    }
  });
  const socket = connect(server.port, "127.0.0.1", () => socket.write(GET));
  await once(socket, "data");
  socket.destroy();
  await waitFor(() => signal?.aborted === true && returned, { what: "the signal's abort and the source's end" });
  await waitFor(() => server.done.length === 1, { what: "the report" });
  assert.deepEqual([server.done[0]?.aborted, server.done[0]?.status], [true, 200]);
});

// The door begins no request before its turn; node:http does.
test("pipelined requests whose turn has not come end with their connection", async (t) => {
  let open = 0;
  let begun = 0;
  const server = await start(
    t,
    1 << 30,
    async function* () {
      open++;
      begun++;
      try {
        for (;;) yield Buffer.alloc(1 << 16);
      } finally {
        open--;
      }
    },
    60_000,
    "http",
  );
  const socket = connect(server.port, "127.0.0.1", () => socket.write(GET + GET + GET));
  await once(socket, "data");
  socket.pause();
  await waitFor(() => begun >= 2, { what: "the pipelined read" });
  socket.destroy();
  await waitFor(() => open === 0 && server.done.length === begun, { what: "the end of every read" });
  assert.ok(server.done.every((one) => one.aborted));
});

test("a client that leaves before anything was answered is reported with status 499", async (t) => {
  let waiting = false;
  const server = await start(t, 100, async function* (_, signal) {
    waiting = true;
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", resolve));
    yield Buffer.alloc(100);
  });
  const socket = connect(server.port, "127.0.0.1", () => socket.write(GET));
  await waitFor(() => waiting, { what: "the read" });
  socket.destroy();
  await waitFor(() => server.done.length === 1, { what: "the report" });
  assert.deepEqual([server.done[0]?.status, server.done[0]?.aborted, server.done[0]?.bytesOut], [499, true, 0]);
  assert.deepEqual(server.failures, []);
});

test("a client that reads slowly holds the source back", async (t) => {
  let made = 0;
  const total = 256 << 20;
  const server = await start(t, total, async function* (range) {
    for (let at = range.start; at <= range.end; at += 1 << 20) {
      made += 1 << 20;
      yield Buffer.alloc(1 << 20);
    }
  });
  const socket = connect(server.port, "127.0.0.1", () => socket.write(GET));
  await once(socket, "data");
  socket.pause();
  let before = -1;
  // The source has come to rest once two looks, with time between them, see the same.
  for (let looks = 0; looks < 3; looks = made === before ? looks + 1 : 0) {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(made < total / 2, `${made} bytes were made for a client that does not read`);
  socket.destroy();
});

test("a large object from memory does not hold up other requests", async (t) => {
  const chunk = Buffer.alloc(1 << 16);
  let ended = false;
  const server = await start(t, 1 << 30, async function* (range) {
    for (let at = range.start; at <= range.end; at += chunk.length) yield chunk;
    ended = true;
  });
  const socket = connect(server.port, "127.0.0.1", () => socket.write(GET));
  await once(socket, "data");
  socket.resume();
  assert.equal((await server.ask("/bkt/none")).status, 404);
  assert.equal(ended, false);
  socket.destroy();
});

test("a client that reads nothing for too long is cut off", async (t) => {
  const server = await start(
    t,
    1 << 30,
    async function* () {
      for (;;) yield Buffer.alloc(1 << 20);
    },
    50,
  );
  const socket = connect(server.port, "127.0.0.1", () => socket.write(GET));
  await once(socket, "data");
  socket.pause();
  await waitFor(() => server.done.length === 1, { what: "the cut" });
  assert.equal(server.done[0]?.aborted, true);
  socket.destroy();
});

// The door begins no request before its turn; node:http does.
test("a pipelined answer whose turn has not come does not count as one that nobody takes", async (t) => {
  const STALL_MS = 50;
  const SIZE_BYTES = 4 * 1024 * 1024;
  const first = Promise.withResolvers<void>();
  let bodies = 0;
  const server = await start(
    t,
    SIZE_BYTES,
    async function* () {
      if (bodies++ === 0) await first.promise;
      for (let sent = 0; sent < SIZE_BYTES; sent += 65_536) yield Buffer.alloc(65_536);
    },
    STALL_MS,
    "http",
  );
  const answers = server.raw(GET + GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  await waitFor(() => bodies === 2);
  const since = performance.now();
  await waitFor(() => performance.now() - since > 4 * STALL_MS);
  first.resolve();
  assert.ok((await answers).length > 2 * SIZE_BYTES);
  assert.deepEqual(
    server.done.map(({ aborted }) => aborted),
    [false, false],
  );
});

// The door begins no request before its turn; node:http does.
test("a pipelined answer that fails before its turn comes cuts the connection behind the ones before it", async (t) => {
  const first = Promise.withResolvers<void>();
  let bodies = 0;
  const server = await start(
    t,
    100,
    async function* () {
      if (bodies++ === 0) {
        await first.promise;
        yield Buffer.alloc(100);
        return;
      }
      yield Buffer.alloc(60);
      await setImmediate();
      first.resolve();
      throw new RinglightError("RL_VERSION_CHANGED", "the object changed");
    },
    60_000,
    "http",
  );
  const [, whole = "", , broken = ""] = (await server.raw(GET + GET)).split(/(?:\r\n\r\n|HTTP\/1\.1 )/).slice(1);
  assert.equal(whole.length, 100);
  assert.ok(broken.length < 100);
});

test("one connection serves many requests in turn", async (t) => {
  const server = await start(t, 10, async function* () {
    yield Buffer.alloc(10, 0x78);
  });
  const last = "GET /bkt/none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const put = "PUT /bkt/key HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  const answer = await server.raw(GET + GET + put + GET + last);
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]);
  assert.deepEqual(statuses, ["200", "200", "403", "200", "404"]);
});

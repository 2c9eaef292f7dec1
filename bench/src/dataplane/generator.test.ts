import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Generator } from "./generator.ts";

const directory = mkdtempSync(join(tmpdir(), "ringlight-generator-"));
const generator = new Generator(directory, "0-1");
const servers: { close: () => void; closeAllConnections: () => void }[] = [];

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test("a closed loop counts requests and bytes, and sends each number once", async () => {
  const seen = new Set<string>();
  let twice = 0;
  const port = await serve((request, response) => {
    if (seen.has(request.url ?? "")) twice++;
    seen.add(request.url ?? "");
    response.end(Buffer.alloc(1000));
  });
  const targets = generator.targets(["GET /cold/{n}"]);
  const load = { endpoints: [{ port, targets }], connections: 4, seconds: 30, order: "cycle" as const };
  const measured = await generator.load({ ...load, requests: 200, firstNumber: 5000, pids: [process.pid] });
  assert.equal(measured.requests, 200);
  assert.equal(seen.size, 200);
  assert.equal(twice, 0);
  assert.ok(seen.has("/cold/5000") && seen.has("/cold/5199"));
  assert.ok(measured.bytes > 200 * 1000);
  assert.ok(measured.p50Us > 0 && measured.p99Us >= measured.p50Us);
});

test("ranges lie within the object, and answers of another length are errors", async () => {
  const starts: number[] = [];
  const port = await serve((request, response) => {
    const [, start = "", end = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    starts.push(Number(start));
    const length = starts.length > 50 ? 1 : Number(end) - Number(start) + 1;
    response.writeHead(206, { "content-length": length }).end(Buffer.alloc(length));
  });
  const targets = generator.targets(["GET /object"]);
  const range = { bytes: 4096, objectBytes: 64 * 4096 };
  const load = { endpoints: [{ port, targets }], connections: 1, seconds: 30, range };
  assert.equal((await generator.load({ ...load, requests: 50 })).errors, 0);
  for (const start of starts) assert.ok(start % 4096 === 0 && start < range.objectBytes);
  await assert.rejects(generator.load({ ...load, requests: 5 }), /not the range asked for/);
});

test("an answer that is not a success ends the run with its status line", async () => {
  const port = await serve((_, response) => response.writeHead(403).end());
  const targets = generator.targets(["GET /secret"]);
  const load = { endpoints: [{ port, targets }], connections: 1, seconds: 30, requests: 3 };
  await assert.rejects(generator.load(load), /3 of 3 answers were wrong; the first: HTTP\/1.1 403 Forbidden/);
});

test("answers in chunks are read to their end", async () => {
  const port = await serve((_, response) => {
    response.write("<Result>");
    setImmediate(() => response.end("0</Result>"));
  });
  const targets = generator.targets(["GET /listing"]);
  const measured = await generator.load({ endpoints: [{ port, targets }], connections: 2, seconds: 30, requests: 40 });
  assert.equal(measured.requests, 40);
  assert.equal(measured.errors, 0);
});

test("an open loop charges a stall to every request that was due meanwhile", async () => {
  let stalled = false;
  const port = await serve((_, response) => {
    if (stalled) {
      response.end("x");
      return;
    }
    stalled = true;
    // One connection, stalled once for most of the run: the requests that come due behind it wait with it. The time is what is
    // measured here: the run is the generator's own half second, whatever happens meanwhile.
    setTimeout(() => response.end("x"), 300);
  });
  const targets = generator.targets(["GET /"]);
  const measured = await generator.load({
    endpoints: [{ port, targets }],
    connections: 1,
    seconds: 0.5,
    openRate: 200,
  });
  assert.ok(measured.p99Us > 150_000, `p99 ${measured.p99Us} µs`);
  assert.ok(measured.p50Us > 10_000, `p50 ${measured.p50Us} µs`);
});

test("headers go out as they were written, and a body follows them", async () => {
  const bodies: number[] = [];
  const headers: (string | undefined)[] = [];
  const port = await serve(async (request, response) => {
    let length = 0;
    for await (const chunk of request) length += (chunk as Buffer).length;
    bodies.push(length);
    headers.push(request.headers["x-amz-date"] as string | undefined);
    response.end();
  });
  const targets = generator.targets(["PUT /a\tx-amz-date: today", "PUT /b\tx-amz-date: today"]);
  const load = {
    endpoints: [{ port, targets }],
    connections: 1,
    seconds: 30,
    order: "once" as const,
    bodyBytes: 3_000_000,
  };
  const measured = await generator.load(load);
  assert.deepEqual(bodies, [3_000_000, 3_000_000]);
  assert.deepEqual(headers, ["today", "today"]);
  assert.equal(measured.requests, 2);
});

test("slow readers take no more than their share", async () => {
  const port = await serve(async (_, response) => {
    response.writeHead(200, { "content-length": 1 << 30 });
    const closed = new Promise((resolve) => response.once("close", resolve));
    while (!response.destroyed) {
      if (response.write(Buffer.alloc(65_536))) continue;
      await Promise.race([new Promise((resolve) => response.once("drain", resolve)), closed]);
    }
  });
  const targets = generator.targets(["GET /large"]);
  const load = { endpoints: [{ port, targets }], connections: 2, seconds: 1, slowBytesPerSecond: 100_000 };
  const { bytes } = await generator.load(load);
  assert.ok(bytes > 20_000 && bytes <= 2 * 110_000, `${bytes} bytes`);
});

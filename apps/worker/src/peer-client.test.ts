import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { systemClock, type WorkerRecord } from "@ringlight/core";
import { PeerClient, PeerFailure } from "./peer-client.ts";
import { cachedSource } from "./peer-fill.ts";
import { PEER_ANSWER_HEADER, pack } from "./peer-wire.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function peerThat(answer: RequestListener): Promise<{ peer: WorkerRecord; server: Server; client: PeerClient }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const rest = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const peer = { id: "worker-x", addresses: { rest, grpc: "", s3: "" } } as WorkerRecord;
  const client = new PeerClient({ token: undefined, timeoutMs: 10_000, connectTimeoutMs: 1000, clock: systemClock });
  closing.push(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return { peer, server, client };
}

const head = { [PEER_ANSWER_HEADER]: pack({ outcome: "ok" }), "content-length": "10" };
const call = () => ({ signal: new AbortController().signal, epoch: 1, traceparent: "" });
const ask = { plan: { conditions: {} } };

async function drain(body: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.length;
  return bytes;
}

test("a worker whose lease has ended but that goes on answering is read to the end", async () => {
  const { peer, client } = await peerThat((_request, response) => {
    response.writeHead(200, head);
    let sent = 0;
    const timer = setInterval(() => {
      response.write("x");
      if (++sent === 10) {
        clearInterval(timer);
        response.end();
      }
    }, 400);
  });
  const { body } = await client.read(peer, "m", "k", ask, call());
  client.leaseEnded(peer.id);
  assert.equal(client.recentlyHeard(peer.id), peer);
  assert.equal(await drain(body), 10);
});

test("a worker whose lease has ended and that is silent is given up long before the deadline", async () => {
  const { peer, client } = await peerThat((_request, response) => {
    response.writeHead(200, head);
    response.write("x");
  });
  const startedMs = performance.now();
  const { body } = await client.read(peer, "m", "k", ask, call());
  client.leaseEnded(peer.id);
  await assert.rejects(drain(body), PeerFailure);
  assert.ok(performance.now() - startedMs < 9_000);
  assert.equal(client.recentlyHeard(peer.id), undefined);
});

test("a body that ends early, an answer of another program and a refused connection are failures of the peer", async () => {
  const short = await peerThat((_request, response) => {
    response.writeHead(200, { ...head, "content-length": "10" });
    response.write("xx");
    setImmediate(() => response.destroy());
  });
  const { body } = await short.client.read(short.peer, "m", "k", ask, call());
  await assert.rejects(drain(body), PeerFailure);

  const other = await peerThat((_request, response) => response.end("hello"));
  await assert.rejects(other.client.read(other.peer, "m", "k", ask, call()), PeerFailure);

  other.server.closeAllConnections();
  await new Promise((resolve) => other.server.close(resolve));
  await assert.rejects(other.client.read(other.peer, "m", "k", ask, call()), PeerFailure);
});

test("an error that the peer met comes with its code, and is not a failure of the peer", async () => {
  const { peer, client } = await peerThat((_request, response) => {
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ code: "RL_NOT_FOUND", message: "no such object" }));
  });
  await assert.rejects(client.read(peer, "m", "k", ask, call()), { code: "RL_NOT_FOUND", message: "no such object" });
});

test("a question that begins after the lease has ended is watched like one that was under way", async () => {
  const { peer, client } = await peerThat(() => undefined);
  client.leaseEnded(peer.id);
  const startedMs = performance.now();
  await assert.rejects(client.read(peer, "m", "k", ask, call()), /its lease has ended, and it is silent/);
  assert.ok(performance.now() - startedMs < 9_000);
});

test("questions for what another worker has share a connection, one after the other", async () => {
  const { peer, server, client } = await peerThat((_request, response) => {
    const answer = { outcome: "ok" as const, coverage: [{ start: 0, end: 9 }] };
    response.writeHead(200, { [PEER_ANSWER_HEADER]: pack(answer), "content-length": "0" }).end();
  });
  let connections = 0;
  server.on("connection", () => connections++);
  const source = cachedSource(client, peer, "m", "k", { epoch: 1, traceparent: "" });
  const pinned = { version: '"1"', sizeBytes: 10 };
  for (let asked = 0; asked < 20; asked++) {
    assert.deepEqual(await source.coverage(pinned, { start: 0, end: 9 }, undefined), [{ start: 0, end: 9 }]);
  }
  assert.equal(connections, 1);
  assert.equal(client.inFlight(peer.id), 0);
});

test("a pause of this process does not count as the peer's silence", async () => {
  let answer: (() => void) | undefined;
  const { peer, client } = await peerThat((_request, response) => {
    response.writeHead(200, head);
    response.write("x");
    answer = () => response.end("x".repeat(9));
  });
  const { body } = await client.read(peer, "m", "k", ask, call());
  client.leaseEnded(peer.id);
  const rest = drain(body);
  // The process stands still for longer than the silence that is borne; the answer comes right after.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_600);
  setImmediate(() => answer?.());
  assert.equal(await rest, 10);
});

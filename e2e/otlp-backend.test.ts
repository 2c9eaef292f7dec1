/**
 * A trace that a client of somebody else began, by a W3C header, is one tree from its own span through the worker that it
 * asked and the owner to the store; and a collector that is not ours receives it whole.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { after, before, test } from "node:test";
import { segmentKey } from "@ringlight/core";
import { buildRing } from "@ringlight/ring";
import { type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";
import { type Collector, startCollector } from "./otlp-collector.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN = "00f067aa0ba902b7";

let collector: Collector;
let origin: S3Origin;
let cluster: Cluster;

before(async () => {
  collector = await startCollector();
  origin = await startS3Origin();
  origin.putObject("data", "object", { sizeBytes: 100_000, seed: 1 });
  origin.putObject("data", "by-grpc", { sizeBytes: 100_000, seed: 2 });
  cluster = await startCluster({
    portOffset: 1000,
    args: [
      "--no-console",
      "--mount",
      `/data=s3://data,endpoint=${origin.endpoint},region=us-east-1,credentials=env:ORIGIN,access=anonymous-read`,
    ],
    env: {
      ORIGIN_ACCESS_KEY_ID: origin.accessKeyId,
      ORIGIN_SECRET_ACCESS_KEY: origin.secretAccessKey,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_LOGS_EXPORTER: "none",
      OTEL_METRICS_EXPORTER: "none",
    },
  });
});

after(async () => {
  await cluster?.remove();
  await origin?.close();
  await collector?.stop();
});

async function ownerOf(mount: string, key: string): Promise<string> {
  const client = await cluster.client();
  try {
    const { members, epoch } = await client.cluster();
    return buildRing(members, { epoch }).owners(segmentKey(mount, key, 0), 1)[0] ?? "";
  } finally {
    client.close();
  }
}

/** A worker that does not own an object, and the id of that which does. */
async function entryTo(key: string) {
  const owner = await ownerOf("data", key);
  const entry = cluster.info().workers.find(({ id }) => id !== owner);
  assert.ok(entry);
  return { entry, owner };
}

/**
 * The client's span and those below it, as the collector has them: each the child of the one before, the first two on the entry worker,
 * the others on the owner. @returns how to look at one of them
 */
async function assertOneTree(traceId: string, chain: readonly string[], instances: readonly string[]) {
  const spans = () => collector.spans().filter((span) => span.traceId === traceId);
  // The object was not known: its metadata came with its first bytes, so that the store was asked before there were pages.
  await waitFor(() => [...chain, "ringlight.pages"].every((name) => spans().some((span) => span.name === name)), {
    what: "all spans",
  });
  const at = (name: string) => spans().find((one) => one.name === name);
  let parent = CLIENT_SPAN;
  for (const name of chain) {
    assert.equal(at(name)?.parentSpanId, parent, `the parent of ${name}`);
    parent = at(name)?.spanId ?? "";
  }
  assert.deepEqual(
    chain.map((name) => at(name)?.instance),
    instances,
  );
  assert.deepEqual(
    chain.map((name) => at(name)?.kind),
    [2, 3, 2, 3],
  );
  assert.deepEqual(
    chain.map((name) => at(name)?.traceState),
    chain.map(() => "vendor=1"),
    "the client's own state goes along",
  );
  assert.equal(at("ringlight.pages")?.parentSpanId, at("peer.Read")?.spanId);
  // No span hangs elsewhere.
  const ids = new Set([CLIENT_SPAN, ...spans().map(({ spanId }) => spanId)]);
  assert.deepEqual(
    spans().filter(({ parentSpanId }) => !ids.has(parentSpanId)),
    [],
  );
  return at;
}

test("a client's own trace goes on through entry worker, owner and store, and arrives at the collector as one tree", async () => {
  const { entry, owner } = await entryTo("object");
  const answer = await fetch(`http://${entry.s3}/data/object`, {
    headers: { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01`, tracestate: "vendor=1" },
  });
  assert.equal((await answer.arrayBuffer()).byteLength, 100_000);
  assert.match(answer.headers.get("server-timing") ?? "", new RegExp(`trace;desc="${TRACE}"`));
  const chain = ["s3.GetObject", "ringlight.relay.read", "peer.Read", "ringlight.ufs.get"];
  const at = await assertOneTree(TRACE, chain, [entry.id, entry.id, owner, owner]);
  assert.equal(at("s3.GetObject")?.service, "ringlight-worker");
  assert.equal(at("s3.GetObject")?.attributes["ringlight.miss.reason"], "cold");
  assert.equal(at("s3.GetObject")?.attributes["http.response.status_code"], "200");
  // A receiver that is not the console is told no paths.
  assert.equal(at("s3.GetObject")?.attributes["ringlight.path"], undefined);
  assert.match(at("s3.GetObject")?.attributes["ringlight.key.hash"] ?? "", /^[0-9a-f]{16}$/);
});

test("so does the trace of a client that speaks gRPC without any library of ours", async () => {
  const { entry, owner } = await entryTo("by-grpc");
  const trace = "5cf92f3577b34da6a3ce929d0e0e4737";
  const method = "ringlight.v1.WorkerService/Read";
  // A ReadRequest whose field 1 is the path, behind the five bytes of a gRPC message.
  const path = Buffer.from("/data/by-grpc");
  const message = Buffer.concat([Buffer.from([0x0a, path.length]), path]);
  const prefix = Buffer.from([0, 0, 0, 0, message.length]);
  const session = connect(`http://${entry.grpc}`);
  try {
    const call = session.request({
      ":method": "POST",
      ":path": `/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${readFileSync(cluster.info().tokenFile, "utf8").trim()}`,
      traceparent: `00-${trace}-${CLIENT_SPAN}-01`,
      tracestate: "vendor=1",
    });
    const status = once(call, "trailers");
    call.end(Buffer.concat([prefix, message]));
    let bytes = 0;
    for await (const chunk of call) bytes += (chunk as Buffer).length;
    const [trailers] = (await status) as [IncomingHttpHeaders];
    assert.equal(trailers["grpc-status"], "0");
    assert.ok(bytes > 100_000, `${bytes} bytes of messages`);
  } finally {
    session.close();
  }
  const chain = [method, "ringlight.relay.read", "peer.Read", "ringlight.ufs.get"];
  const at = await assertOneTree(trace, chain, [entry.id, entry.id, owner, owner]);
  assert.equal(at(method)?.attributes["ringlight.miss.reason"], "cold");
  assert.equal(at(method)?.attributes["rpc.system.name"], "grpc");
  assert.equal(at(method)?.attributes["rpc.method"], method);
  assert.equal(at(method)?.attributes["rpc.status_code"], "OK");
  assert.equal(at(method)?.attributes["ringlight.path"], undefined);
  assert.match(at(method)?.attributes["ringlight.key.hash"] ?? "", /^[0-9a-f]{16}$/);
});

test("a fast hit is a span of its caller's trace where that is sampled, and none where it is not", async () => {
  const { owner } = await entryTo("object");
  const at = cluster.info().workers.find(({ id }) => id === owner);
  assert.ok(at);
  const [sampled, unsampled] = ["6cf92f3577b34da6a3ce929d0e0e4738", "7cf92f3577b34da6a3ce929d0e0e4739"];
  for (const [trace, flags] of [
    [unsampled, "00"],
    [sampled, "01"],
  ]) {
    const answer = await fetch(`http://${at.s3}/data/object`, {
      headers: { traceparent: `00-${trace}-${CLIENT_SPAN}-${flags}`, tracestate: "vendor=1" },
    });
    await answer.arrayBuffer();
    assert.match(answer.headers.get("cache-status") ?? "", /^ringlight; hit; detail=/);
    assert.match(answer.headers.get("server-timing") ?? "", new RegExp(`trace;desc="${trace}"`));
  }
  const spansOf = (trace: string) => collector.spans().filter(({ traceId }) => traceId === trace);
  await waitFor(() => spansOf(sampled).length > 0, { what: "the span of the hit" });
  const [span, ...others] = spansOf(sampled);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [span?.name, span?.instance, span?.parentSpanId, span?.traceState, span?.attributes["ringlight.outcome"]],
    ["s3.GetObject", owner, CLIENT_SPAN, "vendor=1", "hit"],
  );
  assert.deepEqual(spansOf(unsampled), [], "which was asked for before");
});

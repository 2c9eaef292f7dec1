/**
 * A trace that a client of somebody else began, by a W3C header, is one tree from its own span through the worker that it
 * asked and the owner to the store; and a collector that is not ours receives it whole.
 */
import assert from "node:assert/strict";
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

test("a client's own trace goes on through entry worker, owner and store, and arrives at the collector as one tree", async () => {
  const owner = await ownerOf("data", "object");
  const entry = cluster.info().workers.find(({ id }) => id !== owner);
  assert.ok(entry);
  const answer = await fetch(`http://${entry.s3}/data/object`, {
    headers: { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01`, tracestate: "vendor=1" },
  });
  assert.equal((await answer.arrayBuffer()).byteLength, 100_000);
  assert.match(answer.headers.get("server-timing") ?? "", new RegExp(`trace;desc="${TRACE}"`));

  const spans = () => collector.spans().filter(({ traceId }) => traceId === TRACE);
  // The object was not known: its metadata came with its first bytes, so that the store was asked before there were pages.
  const chain = ["s3.GetObject", "ringlight.relay.read", "peer.Read", "ringlight.ufs.get"];
  await waitFor(() => [...chain, "ringlight.pages"].every((name) => spans().some((span) => span.name === name)), {
    what: "all spans",
  });
  let parent = CLIENT_SPAN;
  for (const name of chain) {
    const span = spans().find((one) => one.name === name);
    assert.equal(span?.parentSpanId, parent, `the parent of ${name}`);
    parent = span?.spanId ?? "";
  }
  const at = (name: string) => spans().find((one) => one.name === name);
  assert.deepEqual(
    chain.map((name) => at(name)?.instance),
    [entry.id, entry.id, owner, owner],
  );
  assert.deepEqual(
    chain.map((name) => at(name)?.kind),
    [2, 3, 2, 3],
  );
  assert.equal(at("ringlight.pages")?.parentSpanId, at("peer.Read")?.spanId);
  assert.equal(at("s3.GetObject")?.service, "ringlight-worker");
  assert.equal(at("s3.GetObject")?.attributes["ringlight.miss.reason"], "cold");
  assert.equal(at("s3.GetObject")?.attributes["http.response.status_code"], "200");
  // A receiver that is not the console is told no paths.
  assert.equal(at("s3.GetObject")?.attributes["ringlight.path"], undefined);
  assert.match(at("s3.GetObject")?.attributes["ringlight.key.hash"] ?? "", /^[0-9a-f]{16}$/);
});

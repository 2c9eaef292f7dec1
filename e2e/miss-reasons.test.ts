/**
 * Each reason of the table happens through real traffic over S3 and over gRPC, and reads the same in the answer (its header, the
 * read's summary), in the metrics, on the spans that arrive at an OTLP receiver, and in the command line.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { MISS_REASON_NAMES } from "@ringlight/core";
import { type OtlpReceiver, spansOf, startOtlpReceiver, waitFor } from "@ringlight/testing";
import { type AboutToMiss, type MissCluster, PRODUCERS, readObject, startMissCluster } from "./miss-reasons.ts";

/** Spans of a read that misses, behind that of the request: the pages, the store. */
const NAMES = ["ringlight.pages", "ringlight.ufs.get"];

let receiver: OtlpReceiver;
let on: MissCluster;

before(async () => {
  receiver = await startOtlpReceiver();
  on = await startMissCluster({
    portOffset: 1060,
    args: ["--no-console"],
    env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces` },
  });
});

after(async () => {
  await on?.close();
  receiver?.close();
});

/** Pages that missed for a reason, by the metrics of all living workers. */
async function missed(reason: string): Promise<number> {
  let total = 0;
  for (const { rest, pid } of on.cluster.info().workers) {
    if (pid === 0) continue;
    const text = await (await fetch(`http://${rest}/metrics`)).text();
    for (const line of text.split("\n")) {
      const isIt = line.startsWith("ringlight_cache_requests_total{") && line.includes(`miss_reason="${reason}"`);
      if (isIt) total += Number(line.split(" ").at(-1));
    }
  }
  return total;
}

test("the producers cover the table", () => {
  assert.deepEqual(PRODUCERS.map(([reason]) => reason).sort(), [...MISS_REASON_NAMES].sort());
});

/** What a read's spans and the command line say of it, once they have it. */
async function assertToldAlike(read: AboutToMiss, traceId: string, reason: string, names: readonly string[]) {
  const spansNow = () => spansOf(receiver).filter((span) => span.traceId === traceId);
  const isThere = (name: string) => spansNow().some((span) => span.name === name);
  await waitFor(() => names.every(isThere), { what: `the spans of ${traceId}` });
  for (const name of names) {
    const span = spansNow().find((one) => one.name === name);
    assert.equal(span?.attributes["ringlight.miss.reason"], reason, `the span ${name}`);
  }
  const explained = JSON.parse(await on.cluster.run("explain", read.path, "--json")) as {
    accesses: { traceId: string; missReason: string }[];
  };
  const access = explained.accesses.find((one) => one.traceId === traceId);
  assert.equal(access?.missReason, reason, "ringlight explain");
}

for (const [reason, produce] of PRODUCERS) {
  test(`${reason} is said by answer, metric, span and command line alike, over S3 and over gRPC`, async () => {
    // Both before either is read: a killed worker is down for some seconds only, and has left the ring then.
    const [bySdk, byS3] = [await produce(on, "grpc"), await produce(on, "s3")];

    const client = await on.cluster.client();
    try {
      const before = await missed(reason);
      const sdkTrace = randomBytes(16).toString("hex");
      const read = client.read(bySdk.path, { traceparent: `00-${sdkTrace}-${"1".repeat(16)}-00` });
      for await (const _ of read.stream);
      assert.equal((await read.summary).missReason, reason, "the read's summary");
      assert.equal((await missed(reason)) - before, 1, "the metric counts one page");

      const beforeS3 = await missed(reason);
      const answer = await readObject(byS3);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get("cache-status") ?? "", new RegExp(`^ringlight; fwd=miss; detail=${reason};`));
      assert.equal((await missed(reason)) - beforeS3, 1, "the metric counts one page");
      const s3Trace = /desc="([0-9a-f]{32})"/.exec(answer.headers.get("server-timing") ?? "")?.[1] ?? "";

      await assertToldAlike(bySdk, sdkTrace, reason, ["ringlight.v1.WorkerService/Read", ...NAMES]);
      await assertToldAlike(byS3, s3Trace, reason, ["s3.GetObject", ...NAMES]);
    } finally {
      client.close();
    }
  });
}

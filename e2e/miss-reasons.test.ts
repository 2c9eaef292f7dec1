/**
 * Each reason of the table happens through real traffic, and reads the same in the answer's header, in the metrics, on the
 * spans that arrive at an OTLP receiver, and in the command line.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MISS_REASON_NAMES } from "@ringlight/core";
import { type OtlpReceiver, spansOf, startOtlpReceiver, waitFor } from "@ringlight/testing";
import { type MissCluster, PRODUCERS, readObject, startMissCluster } from "./miss-reasons.ts";

/** Spans of a read that misses: the request, the pages, the store. */
const NAMES = ["s3.GetObject", "ringlight.pages", "ringlight.ufs.get"];

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

for (const [reason, produce] of PRODUCERS) {
  test(`${reason} is said by header, metric, span and command line alike`, async () => {
    const read = await produce(on);
    const before = await missed(reason);
    const answer = await readObject(read);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("cache-status") ?? "", new RegExp(`^ringlight; fwd=miss; detail=${reason};`));
    assert.equal((await missed(reason)) - before, 1, "the metric counts one page");

    const traceId = /desc="([0-9a-f]{32})"/.exec(answer.headers.get("server-timing") ?? "")?.[1] ?? "";
    const spansNow = () => spansOf(receiver).filter((span) => span.traceId === traceId);
    const isThere = (name: string) => spansNow().some((span) => span.name === name);
    await waitFor(() => NAMES.every(isThere), { what: `the spans of ${traceId}` });
    for (const name of NAMES) {
      const span = spansNow().find((one) => one.name === name);
      assert.equal(span?.attributes["ringlight.miss.reason"], reason, `the span ${name}`);
    }

    const explained = JSON.parse(await on.cluster.run("explain", read.path, "--json")) as {
      accesses: { traceId: string; missReason: string }[];
    };
    const access = explained.accesses.find((one) => one.traceId === traceId);
    assert.equal(access?.missReason, reason, "ringlight explain");
  });
}

/**
 * Each reason of the table happens through real traffic over S3 and over gRPC, and the console's pages say the same as the answer's
 * header and the read's summary.
 */
import { randomBytes } from "node:crypto";
import { expect, type Page, test } from "@playwright/test";
import { type MissCluster, PRODUCERS, readObject, startMissCluster } from "./miss-reasons.ts";

let on: MissCluster;

test.beforeAll(async () => {
  on = await startMissCluster({ portOffset: 1080 });
});

test.afterAll(async () => {
  await on?.close();
});

/** The page that explains a read says why it missed, and leads to its trace. */
async function expectExplained(page: Page, url: string, traceId: string, reason: string) {
  await page.goto(`${url}/explain?id=${traceId}`);
  const found = page.getByTestId("found-read");
  await expect(found.getByTestId("outcome")).toHaveAttribute("data-reason", reason);
  // Its spans are stored a moment later, and the page finds them by itself.
  await expect(found.getByRole("link", { name: "Open its trace" })).toBeVisible();
}

for (const [reason, produce] of PRODUCERS) {
  test(`a miss that is ${reason} is explained as that, and drawn among the misses`, async ({ page }) => {
    const [bySdk, byS3] = [await produce(on, "grpc"), await produce(on, "s3")];
    const client = await on.cluster.client();
    const sdkTrace = randomBytes(16).toString("hex");
    try {
      const read = client.read(bySdk.path, { traceparent: `00-${sdkTrace}-${"1".repeat(16)}-00` });
      for await (const _ of read.stream);
      expect((await read.summary).missReason).toBe(reason);
    } finally {
      client.close();
    }
    const answer = await readObject(byS3);
    expect(answer.headers.get("cache-status")).toMatch(new RegExp(`^ringlight; fwd=miss; detail=${reason};`));
    const s3Trace = /desc="([0-9a-f]{32})"/.exec(answer.headers.get("server-timing") ?? "")?.[1] ?? "";
    const url = on.cluster.info().console ?? "";
    await expectExplained(page, url, s3Trace, reason);
    await expectExplained(page, url, sdkTrace, reason);
    await page.goto(`${url}/cache?from=now-15m&to=now&tables=misses`);
    await expect(page.getByRole("table", { name: /Misses by reason, as a table/ })).toContainText(reason);
  });
}

/** Each reason of the table happens through real traffic, and the console's pages say the same as the answer's header. */
import { expect, test } from "@playwright/test";
import { type MissCluster, PRODUCERS, readObject, startMissCluster } from "./miss-reasons.ts";

let on: MissCluster;

test.beforeAll(async () => {
  on = await startMissCluster({ portOffset: 1080 });
});

test.afterAll(async () => {
  await on?.close();
});

for (const [reason, produce] of PRODUCERS) {
  test(`a miss that is ${reason} is explained as that, and drawn among the misses`, async ({ page }) => {
    const read = await produce(on, "page");
    const answer = await readObject(read);
    expect(answer.headers.get("cache-status")).toMatch(new RegExp(`^ringlight; fwd=miss; detail=${reason};`));
    const traceId = /desc="([0-9a-f]{32})"/.exec(answer.headers.get("server-timing") ?? "")?.[1] ?? "";
    const url = on.cluster.info().console ?? "";
    await page.goto(`${url}/explain?id=${traceId}`);
    const found = page.getByTestId("found-read");
    await expect(found.getByTestId("outcome")).toHaveAttribute("data-reason", reason);
    // Its spans are stored a moment later, and the page finds them by itself.
    await expect(found.getByRole("link", { name: "Open its trace" })).toBeVisible();
    await page.goto(`${url}/cache?from=now-15m&to=now&tables=misses`);
    await expect(page.getByRole("table", { name: /Misses by reason, as a table/ })).toContainText(reason);
  });
}

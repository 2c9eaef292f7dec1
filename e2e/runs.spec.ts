/** The benchmark runs in a real browser: a real run of the harness against the cluster, followed while it goes on. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, type Page, test } from "@playwright/test";
import { expectAccessible } from "./axe.ts";

const run = promisify(execFile);
const url = () => process.env.CONSOLE_URL ?? "";
const dataDir = () => process.env.CONSOLE_DATA ?? "";
const runsDir = () => process.env.CONSOLE_RUNS ?? "";
const shots = join(import.meta.dirname, "../artifacts/screenshots");
const CLI = join(import.meta.dirname, "../apps/cli/src/main.ts");
const HARNESS = join(import.meta.dirname, "../bench/src/main.ts");
const WORKLOAD = ["small-objects", "--scale", "0.01"];

const ringlight = async (...args: string[]) =>
  (await run(process.execPath, [CLI, ...args, "--data", dataDir()])).stdout;
const bench = async (...args: string[]) => (await run(process.execPath, [HARNESS, ...args])).stdout;

// A run of the harness takes half a minute, and axe looks at whole pages of charts.
test.describe.configure({ timeout: 240_000 });

let files: string;
let complaints: string[];

test.beforeAll(async () => {
  files = mkdtempSync(join(tmpdir(), "ringlight-runs-"));
  await bench("prepare", ...WORKLOAD, "--to", `file://${files}`);
  await ringlight("mount", "add", "/measured", `file://${files}`);
});

test.afterAll(async () => {
  await ringlight("mount", "rm", "/measured");
  rmSync(files, { recursive: true, force: true });
});

test.beforeEach(({ page }) => {
  complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

async function inspect(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(shots, `${name}-${colorScheme}.png`), fullPage: true });
    await expectAccessible(page);
  }
}

/** Ids of the runs of a target, newest last. */
function runsOf(target: string): string[] {
  const named = readdirSync(runsDir()).filter((id) => {
    const summary = JSON.parse(readFileSync(join(runsDir(), id, "summary.json"), "utf8")) as {
      readonly target: string;
    };
    return summary.target === target;
  });
  return named.sort();
}

test("a run is followed while it goes on, and a slow request of it is followed to its trace", async ({ page }) => {
  await page.goto(`${url()}/runs`);
  await expect(page.getByRole("heading", { level: 1, name: "Runs" })).toBeVisible();
  const options = ["--cluster", dataDir(), "--out", runsDir(), "--rounds", "3", "--seconds", "3", "--warmup", "1"];
  const going = bench("run", ...WORKLOAD, "--target", "s3:/measured", "--target", "sdk:/measured", ...options);
  const row = page.locator("[data-run]").filter({ hasText: "s3" }).first();
  await expect(row.getByText("running")).toBeVisible({ timeout: 60_000 });
  await row.getByRole("link", { name: "small-objects" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Whole objects of 4 KiB, s3" })).toBeVisible();
  await expect(page.getByText("running", { exact: true })).toBeVisible();
  const seconds = page.getByRole("table", { name: /Requests/ }).getByRole("row");
  await page.goto(`${page.url()}?tables=run-requests`);
  await expect(seconds.nth(2)).toBeVisible({ timeout: 60_000 });
  const early = await seconds.count();
  await expect.poll(() => seconds.count(), { timeout: 60_000 }).toBeGreaterThan(early);
  await going;
  await expect(page.getByText("running", { exact: true })).toBeHidden();
  await expect(page.getByText("3 rounds after the warm-up")).toBeVisible();
  await expect(page.getByTestId("run-figures")).toContainText(/(99\.\d|100(\.0)?) %/);

  const [id = ""] = runsOf("s3").slice(-1);
  await page.goto(`${url()}/runs/${id}`);
  await expect(page.locator("canvas").first()).toBeVisible();
  await inspect(page, "run");
  const marks = page.getByRole("list", { name: "Latency: requests with a trace" });
  await marks.getByTestId("exemplar").last().click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}/);
  await expect(page.getByRole("heading", { level: 1, name: /GET/i })).toBeVisible();
});

test("two runs that were taken in turn are compared, with the harness's own words", async ({ page }) => {
  const [a = "", b = ""] = [runsOf("s3").at(-1), runsOf("sdk").at(-1)];
  await page.goto(`${url()}/runs`);
  for (const id of [a, b]) {
    const box = page.locator(`[data-run="${id}"]`).getByRole("checkbox");
    // What is picked is in the URL, and the box shows it from there.
    await box.click();
    await expect(box).toBeChecked();
  }
  await inspect(page, "runs");
  await page.getByRole("link", { name: "Compare", exact: true }).click();
  const words = JSON.parse(await bench("compare", ...[a, b].sort().map((id) => join(runsDir(), id)), "--json")) as {
    readonly sentence: string;
  };
  await expect(page.getByTestId("verdict")).toHaveText(words.sentence);
  await expect(page.getByRole("table", { name: "The comparison by metric" })).toContainText("server CPU a request");
  await inspect(page, "runs-compare");
});

test("a capture is replayed beside the workers' metrics and the ring's epoch, on one axis", async ({ page }) => {
  await ringlight("capture", "start");
  const { s3Endpoint: endpoint, credentialsFile } = JSON.parse(
    readFileSync(join(dataDir(), "cluster.json"), "utf8"),
  ) as { readonly s3Endpoint: string; readonly credentialsFile: string };
  const credentials = JSON.parse(readFileSync(credentialsFile, "utf8")) as {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  const s3 = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  // Some seconds of readers: what is played back takes as long.
  const untilMs = Date.now() + 3000;
  for (let turn = 0; Date.now() < untilMs; turn++) {
    const key = `tables/lineitem-0${turn % 2}.parquet`;
    const answer = await s3.send(new GetObjectCommand({ Bucket: "demo", Key: key, Range: "bytes=0-65535" }));
    await answer.Body?.transformToByteArray();
  }
  s3.destroy();
  const captures = mkdtempSync(join(tmpdir(), "ringlight-captures-"));
  await ringlight("capture", "stop", "--out", captures);
  // One connection was all with one worker, whose capture is the largest.
  const size = (name: string) => statSync(join(captures, name)).size;
  const [capture = ""] = readdirSync(captures).sort((a, b) => size(b) - size(a));
  const target = [
    "--warmup",
    "0",
    "--strip",
    "demo/",
    "--target",
    "s3:/demo",
    "--cluster",
    dataDir(),
    "--out",
    runsDir(),
  ];
  await bench("replay", join(captures, capture), ...target);
  rmSync(captures, { recursive: true, force: true });

  const [id = ""] = runsOf("s3").slice(-1);
  const { epoch } = JSON.parse(await ringlight("ring", "--json")) as { readonly epoch: number };
  await page.goto(`${url()}/runs/${id}?tables=run-epoch,run-bytes,run-latency`);
  await expect(page.getByRole("heading", { level: 1, name: /^Replay of / })).toBeVisible();
  const times = (name: RegExp) =>
    page.getByRole("table", { name }).locator("tbody tr td:first-child").allTextContents();
  await expect(page.getByRole("table", { name: /epoch/ })).toContainText(String(epoch));
  expect(await times(/epoch/)).toEqual(await times(/Latency/));
  expect(await times(/Throughput/)).toEqual(await times(/Latency/));
  await page.goto(`${url()}/runs/${id}`);
  await expect(page.locator("canvas").first()).toBeVisible();
  await inspect(page, "run-replay");
});

/** Overview, Cache, Explain and Jobs in a real browser: every state, by keyboard alone, and from a spike to its cause in two clicks. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, type Page, type Route, test } from "@playwright/test";
import { expectAccessible } from "./axe.ts";

const url = () => process.env.CONSOLE_URL ?? "";
const dataDir = () => process.env.CONSOLE_DATA ?? "";
const shots = join(import.meta.dirname, "../artifacts/screenshots");
const CLI = join(import.meta.dirname, "../apps/cli/src/main.ts");
const FILE = "/demo/tables/lineitem-00.parquet";

interface Info {
  readonly s3Endpoint: string;
  readonly credentialsFile: string;
  readonly workers: readonly { readonly id: string; readonly pid: number }[];
}
const info = () => JSON.parse(readFileSync(join(dataDir(), "cluster.json"), "utf8")) as Info;

async function ringlight(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args, "--data", dataDir()]);
  return stdout;
}

/** Reads an object over S3 and returns its request id. */
async function readOver(key: string): Promise<string> {
  const credentials = JSON.parse(readFileSync(info().credentialsFile, "utf8")) as {
    accessKeyId: string;
    secretAccessKey: string;
  };
  const s3 = new S3Client({
    endpoint: info().s3Endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials,
  });
  try {
    const answer = await s3.send(new GetObjectCommand({ Bucket: "demo", Key: key, Range: "bytes=0-99" }));
    await answer.Body?.transformToByteArray();
    return answer.$metadata.requestId ?? "";
  } finally {
    s3.destroy();
  }
}

// axe looks at whole pages of charts: on a machine with other work that alone takes a minute.
test.describe.configure({ timeout: 240_000 });

let complaints: string[];

test.beforeEach(({ page }) => {
  complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
});

test.afterEach(() => {
  // The browser logs refused requests by itself; tests that have some look at what the page makes of them.
  expect(complaints.filter((complaint) => !complaint.startsWith("Failed to load resource"))).toEqual([]);
});

async function inspect(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  await expectAccessible(page);
}

const refusal = (code: string) => (route: Route) =>
  route.fulfill({
    status: 503,
    contentType: "application/json",
    body: JSON.stringify({ code, message: "nobody answers", remedy: "try again" }),
  });

for (const scheme of ["light", "dark"] as const) {
  test.describe(scheme, () => {
    test.use({ colorScheme: scheme });

    test("the cache page shows what is cached, what is hot, and what another size would do", async ({ page }) => {
      await readOver("tables/lineitem-00.parquet");
      await page.goto(`${url()}/cache`);
      await expect(page.getByTestId("curve-advice")).toBeVisible();
      await expect(page.getByTestId("treemap").getByRole("button").first()).toBeVisible();
      await expect(page.getByText("3 of 3 workers answered").first()).toBeVisible();
      await expect(page.locator("canvas").first()).toBeVisible();
      await inspect(page, `cache-${scheme}`);
    });

    test("a path is explained: place, owners by epoch, pages, reads and traces", async ({ page }) => {
      await readOver("tables/lineitem-00.parquet");
      await page.goto(`${url()}/explain?${new URLSearchParams({ path: FILE })}`);
      await expect(page.getByTestId("explanation")).toBeVisible();
      await expect(page.getByTestId("next-read")).toBeVisible();
      await expect(page.getByTestId("outcome").first()).toBeVisible();
      await expect(page.getByRole("table", { name: /Owners of the path by epoch/ })).toContainText(
        info().workers[0]?.id.slice(0, 3) ?? "",
      );
      await inspect(page, `explain-${scheme}`);
    });

    test("the overview says what the cache saved, at the price of the URL", async ({ page }) => {
      await page.goto(`${url()}/?price_gib=90&price_requests=0.4&price_currency=EUR`);
      await expect(page.getByTestId("saved-cost")).toContainText(/EUR \d/);
      await expect(page.getByTestId("changes")).toBeVisible();
      await inspect(page, `overview-saved-${scheme}`);
    });

    test("the jobs have a list and a page each", async ({ page }) => {
      await ringlight("load", "/demo/tables");
      await page.goto(`${url()}/jobs`);
      await expect(page.locator("[data-job]").first()).toContainText("load /demo/tables");
      await inspect(page, `jobs-${scheme}`);
      await page.locator("[data-job]").first().getByRole("link").click();
      await expect(page.getByTestId("job")).toHaveAttribute("data-job-state", "complete");
      await expect(page.getByTestId("job-bar")).not.toHaveAttribute("data-segments", "0");
      await inspect(page, `job-${scheme}`);
    });
  });
}

test("a load's bar moves with the spans of its tasks, and its actions do what they say", async ({ page }) => {
  // Seventy megabytes at this bound take more than a minute: time to see it move, and to pause it.
  await ringlight("free", "/demo/images");
  const id = (await ringlight("load", "/demo/images", "--bandwidth", "1MiB/s", "--detach")).trim();
  await page.goto(`${url()}/jobs/${id}`);
  const bar = page.getByTestId("job-bar");
  await expect(page.getByTestId("job")).toHaveAttribute("data-job-state", "running");
  const segments = async () => Number(await bar.getAttribute("data-segments"));
  await expect.poll(segments, { timeout: 60_000 }).toBeGreaterThan(0);
  const seen = await segments();
  await expect.poll(segments, { timeout: 60_000 }).toBeGreaterThan(seen);
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await expect(page.getByTestId("job")).toHaveAttribute("data-job-state", "paused");
  await expect(page.getByText(`ringlight job resume ${id}`)).toBeVisible();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByTestId("job")).toHaveAttribute("data-job-state", "stopped");
});

test("rules by path are listed with what they come to, and Explain tells them of a path in the words of the command line", async ({
  page,
}) => {
  await page.goto(`${url()}/mounts`);
  await expect(page.getByText("There are no rules")).toBeVisible();
  const directory = mkdtempSync(join(tmpdir(), "ringlight-rules-"));
  const file = join(directory, "rules.yaml");
  const rules = [
    "{ name: tables, path: /demo/tables/, pin: true }",
    "{ name: images, path: /demo/images/, quota: 8MiB, ttl: 12h }",
    "{ name: everything, path: /demo, pin: false }",
  ];
  writeFileSync(file, `rules:\n${rules.map((rule) => `  - ${rule}\n`).join("")}`);
  try {
    await ringlight("policy", "apply", file);
    await ringlight("load", "/demo/tables");
    const row = page.getByTestId("policy-row-tables");
    await expect(row).toContainText("/demo/tables/");
    await expect(row).toContainText(/[1-9][\d.]* [KM]iB in [\d,]+ pages/, { timeout: 60_000 });
    await expect(page.getByTestId("policy-row-images")).toContainText("12h");
    await expect(page.getByText("ringlight policy apply rules.yaml")).toBeVisible();
    await inspect(page, "policies-light");
    await page.emulateMedia({ colorScheme: "dark" });
    await inspect(page, "policies-dark");
    const printed = await ringlight("explain", FILE);
    expect(printed).toMatch(/^Rules +tables \(\/demo\/tables\/\): pin true\. Pages stay/m);
    await page.goto(`${url()}/explain?${new URLSearchParams({ path: FILE })}`);
    const pinned = page.getByTestId("rule-tables-pin");
    await expect(pinned).toContainText("pin true");
    const words = (await pinned.getByRole("cell").last().textContent()) ?? "";
    expect(words).not.toBe("");
    expect(printed).toContain(words);
    const overruled = page.getByTestId("rule-everything-pin");
    await expect(overruled).toContainText('No effect: the rule "tables" comes before it and decides pin.');
    await inspect(page, "explain-rules-dark");
    await page.emulateMedia({ colorScheme: "light" });
    await inspect(page, "explain-rules-light");
    await page.goto(`${url()}/mounts`);
  } finally {
    await ringlight("policy", "rm", "tables", "images", "everything");
    rmSync(directory, { recursive: true, force: true });
  }
  await expect(page.getByText("There are no rules")).toBeVisible();
});

test("a read is explained by its request id, and the command line says the same", async ({ page }) => {
  const id = await readOver("tables/lineitem-01.parquet");
  expect(id).toMatch(/^[0-9A-F]{16}$/);
  await page.goto(`${url()}/explain`);
  await expect(page.getByTestId("empty-state")).toBeVisible();
  // By keyboard alone.
  await page.getByLabel("Path, trace id or request id").focus();
  await page.keyboard.type(id);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("found-read")).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`id=${id}`));
  await expect(page.getByRole("heading", { level: 2, name: "/demo/tables/lineitem-01.parquet" })).toBeVisible();
  const outcome = await page.getByTestId("found-read").getByTestId("outcome").getAttribute("data-outcome");
  const printed = JSON.parse(await ringlight("explain", id, "--json")) as { read: { outcome: string }; path: string };
  expect(printed.path).toBe("/demo/tables/lineitem-01.parquet");
  expect(printed.read.outcome).toBe(outcome);
});

test("from a mark on a chart to the trace to the path's explanation: two clicks", async ({ page }) => {
  await ringlight("free", "/demo/tables");
  await readOver("tables/lineitem-02.parquet");
  await page.goto(url());
  const marks = page.getByRole("list", { name: "Misses by reason: requests with a trace" });
  await expect(marks.getByTestId("exemplar").first()).toBeVisible({ timeout: 60_000 });
  // The chart moves on each second, and its marks with it: paused, they stand still.
  await page.getByRole("button", { name: "Pause live updates" }).click();
  await marks.getByTestId("exemplar").last().click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}/);
  await page.getByRole("link", { name: "Explain the path" }).click();
  await expect(page).toHaveURL(/\/explain\?path=/);
  await expect(page.getByTestId("explanation")).toBeVisible();
});

test("a window of a chart, chosen by keyboard, is zoomed to and taken apart", async ({ page }) => {
  await page.goto(`${url()}/cache`);
  const chart = page.getByRole("slider", { name: "Chart: Misses by reason" });
  await chart.focus();
  await page.keyboard.press("ArrowLeft");
  for (let step = 0; step < 30; step++) await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/from=\d/);
  await expect(page.getByTestId("changes")).toBeVisible();
  await page.getByLabel("Measure").selectOption("requests");
  await expect(page).toHaveURL(/measure=requests/);
  await expect(page.getByTestId("changes")).toHaveAttribute("data-measure", "requests");
});

test("the address of the cache page says all that is shown: folder, tables and range", async ({ page }) => {
  await page.goto(`${url()}/cache`);
  await page.getByTestId("treemap").getByRole("button").first().press("Enter");
  await expect(page).toHaveURL(/prefix=%2F/);
  await page.getByRole("button", { name: "What is in the cache: show as table" }).press("Enter");
  await expect(page.getByRole("table", { name: "Cached bytes by path" })).toBeVisible();
  await page.getByRole("button", { name: "What another size would do: show as table" }).press("Enter");
  await expect(page.getByRole("table", { name: "Hit rate by size of the cache" })).toBeVisible();
  const address = page.url();
  await page.goto("about:blank");
  await page.goto(address);
  await expect(page.getByRole("table", { name: "Cached bytes by path" })).toBeVisible();
  await expect(page.getByRole("table", { name: "Hit rate by size of the cache" })).toBeVisible();
  await page.goBack();
  const curve = `${url()}/cache`;
  await page.goto(curve);
  const slider = page.getByRole("slider", { name: "Chart: hit rate by size of the cache" });
  await slider.focus();
  const before = await slider.getAttribute("aria-valuetext");
  await page.keyboard.press("End");
  expect(await slider.getAttribute("aria-valuetext")).not.toBe(before);
});

test("loading, empty, partial, stale and error states say what they are", async ({ page }) => {
  const asked = ["/api/cache/reuse", "/api/cache/contents", "/api/jobs", "/api/explain"];
  const pages = ["/cache", "/jobs", `/explain?path=${FILE}`];
  // Loading: answers that do not come.
  const held: Route[] = [];
  for (const path of asked) await page.route(`**${path}*`, (route) => void held.push(route));
  for (const path of pages) {
    await page.goto(url() + path);
    await expect(page.getByRole("status").filter({ hasText: "Loading" }).first()).toBeAttached();
  }
  await page.unrouteAll({ behavior: "ignoreErrors" });
  // Errors: with code, remedy and a retry.
  for (const path of asked) await page.route(`**${path}*`, refusal("RL_NO_WORKERS"));
  for (const path of pages) {
    await page.goto(url() + path);
    await expect(page.getByTestId("error-state").first()).toContainText("RL_NO_WORKERS");
    await inspect(page, `state-error${path.split("?")[0]?.replaceAll("/", "-")}`);
  }
  // The button asks at once; the page also asks again by itself, so it recovers with or without another click.
  const again = page.waitForRequest(/\/api\/explain/);
  await page.getByRole("button", { name: "Retry" }).first().click();
  await again;
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await expect(page.getByTestId("explanation")).toBeVisible();
  // Stale: what was shown stays, with its age.
  await page.route("**/api/explain*", refusal("RL_NO_WORKERS"));
  await expect(page.getByTestId("stale")).toContainText("data from");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  // Partial: two of three answered.
  await page.route("**/api/cache/contents*", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ json: { ...(await answer.json()), answered: 2 } });
  });
  await page.goto(`${url()}/cache`);
  await expect(page.getByText("2 of 3 workers answered").first()).toBeVisible();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  // Empty, for real: a folder that holds nothing, a state that no job has, an object that the store has not.
  await page.goto(`${url()}/cache?prefix=/demo/nothing/`);
  await expect(page.getByText("Nothing is cached below /demo/nothing/")).toBeVisible();
  await page.goto(`${url()}/jobs?state=failed`);
  await expect(page.getByTestId("empty-state")).toBeVisible();
  await inspect(page, "state-empty-jobs");
  await page.goto(`${url()}/explain?path=/demo/nothing`);
  await expect(page.getByTestId("error-state")).toContainText("RL_NOT_FOUND");
  await page.goto(`${url()}/jobs/no-such-job`);
  await expect(page.getByTestId("error-state")).toBeVisible();
});

test("the lines that Traces, Logs and Events show are commands that find what the pages find", async ({ page }) => {
  await readOver("tables/lineitem-00.parquet");
  /** Runs the line that the page shows, which the cluster's directory alone is added to. */
  const shown = async (command: string) => {
    const line = await page
      .getByRole("button", { name: new RegExp(`^Copy command: ringlight ${command}\\b`) })
      .first()
      .getAttribute("aria-label");
    const words = (line ?? "").replace(/^Copy command: ringlight /, "").split(" ");
    return ringlight(...words);
  };
  await page.goto(`${url()}/traces?outcome=miss`);
  const row = page.getByTestId("trace-row").first();
  await expect(row).toBeVisible();
  const traceId = (await row.getByRole("link").first().getAttribute("href"))?.split("/").at(-1)?.split("?")[0] ?? "";
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(await shown("traces")).toContain(traceId);
  await page.goto(`${url()}/traces/${traceId}`);
  expect(await shown("trace")).toContain("ringlight.pages");
  await page.goto(`${url()}/logs`);
  expect(await shown("logs")).toMatch(/INFO +\S+ /);
  await page.goto(`${url()}/events?kind=epoch,worker,console`);
  expect(await shown("events")).toContain("This console started");
  expect(await shown("audit")).toMatch(/^TIME +USER +ACTION/);
});

test("a killed worker is a named problem and changes the explanation of its paths while it is looked at", async ({
  page,
}) => {
  const explained = JSON.parse(await ringlight("explain", FILE, "--json")) as {
    segments: [{ owners: [string, ...string[]] }];
  };
  const [owner] = explained.segments[0].owners;
  const pid = info().workers.find(({ id }) => id === owner)?.pid;
  if (pid === undefined) throw new Error(`${owner} is not among the workers`);
  await page.goto(`${url()}/explain?${new URLSearchParams({ path: FILE })}`);
  const owners = page.getByRole("table", { name: /Owners of the path by epoch/ });
  await expect(owners).toContainText(owner);
  await expect(owners).not.toContainText("down");
  // The page itself notes when it shows both, so that no time of the test's own looking is counted.
  const seen = page.evaluate<number>(`(async () => {
    const shows = () =>
      document.querySelector('[data-testid="next-read"]')?.getAttribute("data-reason") === "owner_down" &&
      [...document.querySelectorAll("table")].some(
        (table) => table.caption?.textContent.includes("Owners of the path by epoch") && table.textContent.includes("down"),
      );
    while (!shows()) await new Promise(requestAnimationFrame);
    return Date.now();
  })()`);
  const killedAt = Date.now();
  process.kill(pid, "SIGKILL");
  expect((await seen) - killedAt).toBeLessThan(5_000);
  await page.screenshot({ path: join(shots, "explain-owner-down.png"), fullPage: true });
  await page.goto(url());
  await expect(page.getByTestId("problem-worker_down")).toContainText(owner);
  // The supervisor starts it again: the next test finds the cluster as it was.
  await expect(page.getByTestId("problem-worker_down")).toHaveCount(0, { timeout: 60_000 });
});

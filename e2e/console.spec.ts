/** Every page of the console in a real browser: what it shows, that nothing is wrong in its log, and that axe finds nothing. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { expect, type Page, test } from "@playwright/test";
import { expectAccessible } from "./axe.ts";

const url = () => process.env.CONSOLE_URL ?? "";
const shots = join(import.meta.dirname, "../artifacts/screenshots");

interface Info {
  readonly s3Endpoint: string;
  readonly workers: readonly { readonly id: string; readonly pid: number }[];
}
const info = () => JSON.parse(readFileSync(join(process.env.CONSOLE_DATA ?? "", "cluster.json"), "utf8")) as Info;

let complaints: string[];

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
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  await expectAccessible(page);
}

for (const scheme of ["light", "dark"] as const) {
  test.describe(scheme, () => {
    test.use({ colorScheme: scheme });

    test("the overview shows what is served from the cache and from the store", async ({ page }) => {
      await page.goto(url());
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByText(/hit rate/i).first()).toBeVisible();
      await expect(page.getByText(/UFS/).first()).toBeVisible();
      await expect(page.locator("canvas").first()).toBeVisible();
      await inspect(page, `overview-${scheme}`);
    });

    test("the ring is drawn with every member", async ({ page }) => {
      await page.goto(`${url()}/ring`);
      await expect(page.getByTestId("ring-canvas")).toBeVisible();
      for (const { id } of info().workers) await expect(page.getByTestId(`ring-member-${id}`).first()).toBeVisible();
      await inspect(page, `ring-${scheme}`);
    });

    test("the workers have a list and a page each", async ({ page }) => {
      await page.goto(`${url()}/workers`);
      const [first] = info().workers;
      await expect(page.getByTestId(`worker-row-${first?.id}`)).toBeVisible();
      await inspect(page, `workers-${scheme}`);
      await page.goto(`${url()}/workers/${first?.id}`);
      await expect(page.getByRole("heading", { level: 1 })).toContainText(first?.id ?? "");
      await inspect(page, `worker-${scheme}`);
    });

    test("the mounts are listed with what they are bound to", async ({ page }) => {
      await page.goto(`${url()}/mounts`);
      await expect(page.getByTestId("mount-row-demo")).toBeVisible();
      await inspect(page, `mounts-${scheme}`);
    });

    test("the namespace can be walked, and says how much of each file is cached", async ({ page }) => {
      await page.goto(`${url()}/browse/demo`);
      await expect(page.getByTestId("browse-row").first()).toBeVisible();
      await expect(page.getByText(/of 3 workers/).first()).toBeVisible();
      await inspect(page, `browse-${scheme}`);
    });
  });
}

test("the cached share of a file and where it lives are shown beside it", async ({ page }) => {
  await page.goto(`${url()}/browse/demo`);
  await page.getByTestId("browse-row").first().getByRole("link").first().click();
  await expect(page).toHaveURL(/\/browse\/demo\/.+/);
  await expect(page.getByTestId("browse-row").first()).toBeVisible();
});

test("a page that is opened first paints its frame and its name before it has run a line", async ({ browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  for (const [path, name] of [
    ["/", "Overview"],
    ["/traces?from=now-5m&to=now", "Traces"],
    ["/config", "Config"],
  ] as const) {
    await page.goto(url() + path);
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
    await expect(page.getByRole("navigation").getByRole("link", { name })).toHaveAttribute("aria-current", "page");
  }
  await context.close();
});

test("the pages fit a telephone", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of ["/", "/ring", "/workers", "/mounts", "/browse/demo", "/keys"]) {
    await page.goto(url() + path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth");
    expect(overflow, path).toBeLessThanOrEqual(0);
  }
});

test("a mount that cannot be reached is refused with its reason, and a good one is added and removed", async ({
  page,
}) => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-mount-"));
  try {
    await page.goto(`${url()}/mounts`);
    await page.getByRole("button", { name: "Add mount" }).click();
    const form = page.getByRole("form", { name: "Add a mount" });
    await form.getByLabel("Name", { exact: true }).fill("extra");
    await form.getByLabel("Store URI", { exact: true }).fill(`file://${directory}/absent`);
    await form.getByRole("button", { name: "Add mount" }).click();
    await expect(form.getByRole("alert")).toContainText(`${directory}/absent`);
    // The browser logs the refusal's status by itself.
    expect(complaints.splice(0).every((complaint) => complaint.startsWith("Failed to load resource"))).toBe(true);
    await form.getByLabel("Store URI", { exact: true }).fill(`file://${directory}`);
    await form.getByRole("button", { name: "Test" }).click();
    await expect(page.getByTestId("mount-test-result")).toContainText("Nothing was recorded");
    const row = page.getByTestId("mount-row-extra");
    await expect(row).toHaveCount(0);
    await form.getByRole("button", { name: "Add mount" }).click();
    await expect(row).toContainText(directory);
    await expect(form).toBeHidden();
    await expect(row).toContainText("3 of 3 workers can reach it", { timeout: 20_000 });
    await row.getByRole("button", { name: "Remove mount extra" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove mount" }).click();
    await expect(row).toHaveCount(0);
    await expect(page.getByTestId("mount-row-demo")).toBeVisible();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("an access key is made, used, given a new secret, disabled and removed", async ({ page }) => {
  await page.goto(`${url()}/keys`);
  await expect(page.getByText("Only the root key")).toBeVisible();
  await page.getByRole("button", { name: "Add key" }).click();
  const form = page.getByRole("form", { name: "Add a key" });
  await form.getByLabel("User", { exact: true }).fill("reader");
  await form.getByLabel("Policy", { exact: true }).fill('{"Statement":{"Effect":"Perhaps"}}');
  await form.getByRole("button", { name: "Add key" }).click();
  await expect(form.getByRole("alert")).toContainText("Effect");
  expect(complaints.splice(0).every((complaint) => complaint.startsWith("Failed to load resource"))).toBe(true);
  await inspect(page, "key-form");
  await form
    .getByLabel("Policy", { exact: true })
    .fill('{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::demo"}}');
  await form.getByRole("button", { name: "Add key" }).click();
  const row = page.getByTestId("key-row-reader");
  await expect(row).toContainText("what its policy says");
  const secret = page.getByTestId("new-secret");
  const secretOf = async () => {
    const words = (await secret.textContent()) ?? "";
    const [, accessKeyId = "", secretAccessKey = ""] =
      /ACCESS_KEY_ID=(RL[A-Z2-7]{18}).*SECRET_ACCESS_KEY=([\w-]{40})/.exec(words) ?? [];
    return { accessKeyId, secretAccessKey };
  };
  const first = await secretOf();
  await expect.poll(() => answerTo(first, "list"), { timeout: 20_000 }).toBe(200);
  expect(await answerTo(first, "get")).toBe(403);
  await inspect(page, "key-secret");
  await row.getByRole("button", { name: "New secret of reader" }).click();
  await expect(secret).not.toContainText(first.secretAccessKey);
  const second = await secretOf();
  await expect.poll(() => answerTo(second, "list"), { timeout: 20_000 }).toBe(200);
  // Each of the three workers behind the port learns of it for itself.
  await expect.poll(() => answerTo(first, "list"), { timeout: 20_000 }).toBe(403);
  await row.getByRole("button", { name: "Disable reader" }).click();
  await expect(row).toContainText("disabled");
  await expect.poll(() => answerTo(second, "list"), { timeout: 20_000 }).toBe(403);
  await row.getByRole("button", { name: "Remove reader" }).click();
  await expect(row).toHaveCount(0);
  await expect(page.getByText("Only the root key")).toBeVisible();
});

/** The status that the S3 endpoint gives to a key. */
async function answerTo(
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
  what: "list" | "get",
): Promise<number> {
  const s3 = new S3Client({ endpoint: info().s3Endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  try {
    if (what === "list") await s3.send(new ListObjectsV2Command({ Bucket: "demo", MaxKeys: 1 }));
    else await s3.send(new GetObjectCommand({ Bucket: "demo", Key: "any" }));
    return 200;
  } catch (error) {
    return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
  } finally {
    s3.destroy();
  }
}

test("a request to change the mounts from another site's page is refused", async ({ page }) => {
  const answer = await page.request.post(`${url()}/api/mounts`, {
    headers: { origin: "http://elsewhere.example", "content-type": "application/json" },
    data: { name: "extra", uri: "file:///tmp" },
  });
  expect(answer.status()).toBe(403);
});

test("a worker that dies is seen as down, live, within two seconds of its lease's end", async ({ page }) => {
  const victim = info().workers[2];
  if (victim === undefined) throw new Error("three workers are expected");
  await page.goto(`${url()}/ring`);
  await expect(page.getByTestId(`ring-member-${victim.id}`).first()).toBeVisible();
  const killedAt = Date.now();
  process.kill(victim.pid, "SIGKILL");
  await expect(page.getByTestId(`ring-member-${victim.id}`).first()).toContainText(/down/i, { timeout: 10_000 });
  // Lease of 3 s, renewed at most a second before the end, and 2 s for everybody to see it.
  expect(Date.now() - killedAt).toBeLessThan(5_500);
  await page.screenshot({ path: join(shots, "ring-worker-down.png"), fullPage: true });
  await page.goto(`${url()}/workers`);
  await expect(page.getByTestId(`worker-row-${victim.id}`)).toContainText(/down/i);
  await expect(page.getByTestId(`worker-row-${victim.id}`)).not.toContainText(/down/i, { timeout: 45_000 });
});

/** A console that asks for a log-in, in a real browser; and what it kept of its traces when it was killed and started again. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@playwright/test";
import { freePort, type SpawnedProcess, spawnProcess } from "@ringlight/testing";
import { expectAccessible } from "./axe.ts";
import type { ClusterInfo } from "./cluster.ts";

const MAIN = fileURLToPath(new URL("../apps/console/src/main.ts", import.meta.url));
const shots = join(import.meta.dirname, "../artifacts/screenshots");
const info = () =>
  JSON.parse(readFileSync(join(process.env.CONSOLE_DATA ?? "", "cluster.json"), "utf8")) as ClusterInfo;

let dataDir: string;
let port: number;
let running: SpawnedProcess;
const url = () => `http://127.0.0.1:${port}`;
const token = () => readFileSync(info().tokenFile, "utf8").trim();

async function start(): Promise<void> {
  const flags = ["--login", "always", "--data-dir", dataDir, "--port", String(port)];
  const cluster = ["--registry", info().registry, "--token-file", info().tokenFile];
  running = await spawnProcess(process.execPath, [MAIN, ...flags, ...cluster], { diesWithParent: true });
  await running.waitForLine(/"msg":"listening"/, 60_000);
}

test.beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "ringlight-login-"));
  port = await freePort();
  await start();
});

test.afterAll(async () => {
  await running.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

for (const scheme of ["light", "dark"] as const) {
  test(`the log-in page has nothing for axe to find, ${scheme}`, async ({ browser }) => {
    const context = await browser.newContext({ colorScheme: scheme });
    const page = await context.newPage();
    await page.goto(`${url()}/ring`);
    await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
    await page.screenshot({ path: join(shots, `login-${scheme}.png`) });
    await expectAccessible(page);
    await context.close();
  });
}

test("a page leads to the log-in and back; changes carry what only its own pages know; all of it is in the audit log", async ({
  page,
}) => {
  await page.goto(`${url()}/workers?x=1`);
  await page.getByLabel("Cluster token").fill("wrong");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("not right");
  await page.getByLabel("Cluster token").fill(token());
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/workers\?x=1/);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  const [cookie] = await page.context().cookies();
  expect([cookie?.httpOnly, cookie?.sameSite]).toEqual([true, "Strict"]);

  const change = (csrf: string) =>
    page.evaluate(async (value) => {
      const headers = { "content-type": "application/json", "x-ringlight-csrf": value };
      const body = JSON.stringify({ name: "no such mount" });
      return (await fetch("/api/mounts", { method: "DELETE", headers, body })).status;
    }, csrf);
  expect(await change("guessed")).toBe(403);
  const { csrf } = (await (await page.request.get(`${url()}/api/session`)).json()) as { csrf: string };
  expect([400, 404]).toContain(await change(csrf));
  const audit = (await (await page.request.get(`${url()}/api/audit`)).json()) as {
    entries: { action: string; outcome: string; user: string }[];
  };
  expect(audit.entries.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
    "mount.remove failed",
    "change refused",
    "login ok",
    "login refused",
  ]);
});

test("a console that was killed and started again has the kept traces, and the session still holds", async ({
  page,
}) => {
  await page.goto(`${url()}/login`);
  await page.getByLabel("Cluster token").fill(token());
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${url()}/`);
  const traceId = randomBytes(16).toString("hex");
  const now = BigInt(Date.now()) * 1_000_000n;
  const span = {
    traceId,
    spanId: randomBytes(8).toString("hex"),
    name: "train step",
    kind: 1,
    startTimeUnixNano: String(now),
    endTimeUnixNano: String(now + 5_000_000n),
    status: { code: 2, message: "out of memory" },
  };
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "trainer" } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
  const send = (headers: Record<string, string>) =>
    fetch(`${url()}/v1/traces`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
  expect((await send({})).status).toBe(401);
  expect((await send({ authorization: `Bearer ${token()}` })).status).toBe(200);
  running.signal("SIGKILL");
  await running.waitForExit();
  await start();
  const found = (await (await page.request.get(`${url()}/api/traces?class=kept&service=trainer`)).json()) as {
    traces: { traceId: string; keptFor: string }[];
  };
  expect(found.traces.map(({ traceId: id, keptFor }) => [id, keptFor])).toEqual([[traceId, "error"]]);
  await page.goto(`${url()}/traces/${traceId}`);
  await expect(page.getByText("train step").first()).toBeVisible();
});

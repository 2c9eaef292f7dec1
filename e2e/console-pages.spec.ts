/**
 * The console's shell and the pages of traces, ring, workers, logs, events and settings: every state, by keyboard, by URL,
 * in light and dark. What can be made for real is; states that need a fault answer through the browser's routes.
 * Long, because all of it shares one cluster, which takes longer to start than most of its tests.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { expect, type Page, type Route, test } from "@playwright/test";
import { expectAccessible } from "./axe.ts";

const url = () => process.env.CONSOLE_URL ?? "";
const dataDir = () => process.env.CONSOLE_DATA ?? "";
const shots = join(import.meta.dirname, "../artifacts/screenshots");

interface Info {
  readonly s3Endpoint: string;
  readonly workers: readonly { readonly id: string; readonly pid: number }[];
}
const info = () => JSON.parse(readFileSync(join(dataDir(), "cluster.json"), "utf8")) as Info;

let complaints: string[];

test.beforeEach(({ page }) => {
  complaints = [];
  page.on("console", (message) => {
    // The browser logs the status of an answer that a test made fail by itself.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
});

test.afterEach(() => {
  expect(complaints).toEqual([]);
});

/** A trace of so many spans, as the route answers it. */
function fakeTrace(traceId: string, count: number) {
  const startMs = Date.now() - 60_000;
  const id = (number: number) => number.toString(16).padStart(16, "0");
  const spans = Array.from({ length: count }, (_, index) => ({
    traceId,
    spanId: id(index + 1),
    ...(index === 0 ? {} : { parentSpanId: id(Math.floor((index - 1) / 8) + 1) }),
    name: index === 0 ? "s3.GetObject" : index % 3 === 0 ? "ringlight.ufs.get" : "ringlight.pages",
    kind: "server",
    startMs: startMs + (index / count) * 400,
    durationMs: index === 0 ? 500 : 500 / (2 + (index % 50)),
    status: index % 997 === 5 ? "error" : "unset",
    resource: index % 2,
    attributes: { "ringlight.mount": "demo", number: index },
  }));
  return {
    source: "embedded",
    summary: {
      traceId,
      version: 1,
      name: "s3.GetObject",
      service: "ringlight-worker",
      rooted: true,
      startMs,
      durationMs: 500,
      spanCount: count,
      errorCount: spans.filter((span) => span.status === "error").length,
      services: ["ringlight-worker", "ringlight-scheduler"],
      class: "kept",
      keptFor: "miss",
      outcome: "miss",
      missReason: "cold",
      mount: "demo",
    },
    resources: [
      { service: "ringlight-worker", instance: "worker-1", attributes: { "host.name": "here" } },
      { service: "ringlight-scheduler", attributes: {} },
    ],
    spans,
    offset: 0,
    total: count,
    logCount: 0,
  };
}

const FAILURE = { code: "RL_REGISTRY_UNAVAILABLE", message: "no answer came", remedy: "Start it." };
const fail = (route: Route) =>
  route.fulfill({
    status: 503,
    json: FAILURE,
    headers: { traceresponse: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  });

/** Pages that read one route, with what is empty to them. */
const READS = [
  {
    page: "/traces",
    route: /\/api\/traces\?/,
    empty: { traces: [], complete: true },
    loading: "Loading the traces",
    title: "No trace was kept in this range",
  },
  {
    page: "/logs",
    route: /\/api\/logs\?/,
    empty: { logs: [], more: false },
    loading: "Loading the log",
    title: "No line in this range",
  },
  {
    page: "/events",
    route: /\/api\/changes/,
    empty: { events: [], more: false, sinceMs: 0 },
    loading: "Loading the events",
    title: "Nothing changed in this range",
  },
  {
    page: "/config",
    route: /\/api\/config/,
    empty: { processes: [], asked: 0, answered: 0, atMs: 0 },
    loading: "Loading the settings",
    title: "No setting has all that was asked for",
  },
] as const;

for (const read of READS) {
  test(`${read.page} says that it loads, that there is nothing and how to change that, and what failed`, async ({
    page,
  }) => {
    let answer: (route: Route) => unknown = () => {};
    await page.route(read.route, (route) => answer(route));
    await page.goto(url() + read.page);
    await expect(page.getByText(read.loading)).toBeAttached();
    await page.unroute(read.route);
    answer = (route) => route.fulfill({ json: read.empty });
    await page.route(read.route, (route) => answer(route));
    await page.goto(url() + read.page);
    const empty = page.getByTestId("empty-state").first();
    await expect(empty).toContainText(read.title);
    await expect(empty.getByRole("button", { name: /Copy command/ })).toBeVisible();
    await expectAccessible(page, "main");
    answer = fail;
    await page.goto(url() + read.page);
    const error = page.getByTestId("error-state").first();
    await expect(error).toContainText("RL_REGISTRY_UNAVAILABLE");
    await expect(error).toContainText("Start it.");
    await expect(error.getByRole("link", { name: /Trace 0af76519/ })).toHaveAttribute("href", /\/traces\/0af7/);
    await expectAccessible(page, "main");
    answer = (route) => route.fulfill({ json: read.empty });
    // These ask again by themselves after two or three seconds, and may have recovered before a click.
    if (read.page !== "/events" && read.page !== "/config") await error.getByRole("button", { name: "Retry" }).click();
    await expect(empty).toContainText(read.title);
  });
}

test("what is partial says so: a search that gave up, settings that did not come, a log's tail that was cut", async ({
  page,
}) => {
  await page.route(/\/api\/traces\?/, (route) =>
    route.fulfill({ json: { traces: [], complete: false, searchedBackToMs: Date.now() - 60_000 } }),
  );
  await page.goto(`${url()}/traces`);
  await expect(page.getByTestId("answered")).toContainText("looked back to");
  await page.route(/\/api\/config/, (route) =>
    route.fulfill({
      json: {
        processes: [
          { process: "console", id: "console", settings: [] },
          { process: "worker", id: "worker-9", settings: [], error: FAILURE },
        ],
        asked: 2,
        answered: 1,
        atMs: Date.now(),
      },
    }),
  );
  await page.goto(`${url()}/config`);
  await expect(page.getByTestId("answered")).toHaveText(/1 of 2 processes answered/);
  await expect(page.getByTestId("error-state")).toContainText("worker-9 did not tell its settings");
  await page.route(/\/api\/logs\/live/, (route) => route.abort());
  await page.goto(`${url()}/logs?tail=on`);
  await expect(page.getByTestId("stale")).toContainText("connection lost");
});

test("the ring and the workers say how old their numbers are while the registry is away", async ({ page }) => {
  const answer = (await (await page.request.get(`${url()}/api/cluster`)).json()) as {
    snapshot: { registry: Record<string, unknown> };
  };
  answer.snapshot.registry = { ...answer.snapshot.registry, connected: false, asOfMs: Date.now() - 90_000 };
  await page.route(/\/api\/cluster$/, (route) => route.fulfill({ json: answer }));
  await page.route(/\/api\/events$/, (route) => route.abort());
  await page.goto(`${url()}/ring`);
  await expect(page.getByTestId("stale")).toContainText(/Registry away; data from 1 min/);
  await expect(page.getByTestId("live")).toHaveAttribute("data-state", "stale", { timeout: 15_000 });
  await page.goto(`${url()}/workers/absent`);
  await expect(page.getByTestId("empty-state")).toContainText("The ring has no member absent");
});

test("a read is found by its path, drawn, walked by keyboard, saved, opened again and compared", async ({ page }) => {
  const key = await readOnce();
  await page.goto(`${url()}/traces?path=${encodeURIComponent(`/demo/${key}`)}`);
  const row = page.getByTestId("trace-row").first();
  await expect(async () => {
    await page.getByRole("button", { name: "Search again" }).click();
    await expect(row).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 30_000 });
  await expect(page.getByTestId("duration-scatter")).toBeVisible();
  await expect(page.getByLabel("Path", { exact: true })).toHaveValue(`/demo/${key}`);
  await row.getByRole("link").first().click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}/);
  const tree = page.getByRole("tree", { name: "Spans of the trace" });
  await expect(page.getByTestId("span-row").first()).toBeVisible();
  await tree.focus();
  await page.keyboard.press("Enter");
  const detail = page.getByTestId("span-detail");
  await expect(detail).toContainText("Duration");
  await expect(page).toHaveURL(/span=[0-9a-f]{16}/);
  const address = page.url();
  await page.reload();
  await expect(detail).toContainText("Duration");
  expect(page.url()).toBe(address);
  for (const view of ["Flame", "Statistics", "Compare", "Waterfall"]) {
    await page.getByRole("button", { name: view, exact: true }).click();
    await expectAccessible(page, "main");
  }
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const file = join(dataDir(), "saved-trace.json");
  await (await saved).saveAs(file);
  expect(Object.keys(JSON.parse(readFileSync(file, "utf8")) as object)).toEqual(["resourceSpans"]);
  await page.getByTestId("trace-file").setInputFiles(file);
  await expect(page).toHaveURL(/\/traces\/file-[0-9a-f]{32}/);
  await expect(page.getByTestId("span-row").first()).toBeVisible();
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await page.getByPlaceholder("trace id, 32 hex digits").fill(address.match(/[0-9a-f]{32}/)?.[0] ?? "");
  await page.getByRole("button", { name: "Compare", exact: true }).last().click();
  await expect(page.getByTestId("diff-row").first()).toHaveAttribute("data-kind", "both");
  const broken = join(dataDir(), "no-trace.json");
  writeFileSync(broken, "not JSON");
  await page.getByTestId("trace-file").first().setInputFiles(broken);
  await expect(page.getByText("is not JSON")).toBeVisible();
});

/** Reads one object of the demo twice, the first time with a sampled trace context; answers its key. */
async function readOnce(): Promise<string> {
  const { accessKeyId, secretAccessKey } = rootKey();
  const s3 = new S3Client({
    endpoint: info().s3Endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  // Sampled by its caller, so that the trace is kept whether or not the demo's reader has the object cached already.
  s3.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { headers: Record<string, string> };
      request.headers.traceparent = `00-${"4bf92f3577b34da6a3ce929d0e0e".padEnd(28, "0")}${Math.floor(
        Math.random() * 0xffff,
      )
        .toString(16)
        .padStart(4, "0")}-00f067aa0ba902b7-01`;
      return next(args);
    },
    { step: "build", name: "trace-context" },
  );
  try {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "demo", MaxKeys: 5 }));
    const key = Contents[0]?.Key ?? "";
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: "demo", Key: key, Range: "bytes=0-4095" }));
    await Body?.transformToByteArray();
    return key;
  } finally {
    s3.destroy();
  }
}

function rootKey(): { accessKeyId: string; secretAccessKey: string } {
  const parsed = JSON.parse(readFileSync(join(dataDir(), "s3-credentials.json"), "utf8")) as Record<string, unknown>;
  return (Array.isArray(parsed.keys) ? parsed.keys[0] : parsed) as { accessKeyId: string; secretAccessKey: string };
}

test("a trace of 10,000 spans is searched and walked with few rows in the document", async ({ page }) => {
  const id = "0af7651916cd43dd8448eb211c80319c";
  await page.route(`**/api/traces/${id}*`, (route) => route.fulfill({ json: fakeTrace(id, 10_000) }));
  await page.goto(`${url()}/traces/${id}`);
  const tree = page.getByTestId("waterfall");
  await expect(tree).toHaveAttribute("data-rows", "10000");
  expect(await page.getByTestId("span-row").count()).toBeLessThan(100);
  await tree.focus();
  await page.keyboard.press("End");
  await expect(page.locator("[data-testid=span-row]").last()).toBeInViewport();
  expect(await page.getByTestId("span-row").count()).toBeLessThan(100);
  await page.getByLabel("Filter spans").fill("status=error");
  await expect(page.getByTestId("matches")).toHaveText(/^11 of 10,000 match$/);
  await page.getByLabel("Matches only").click();
  await expect(tree).toHaveAttribute("data-rows", "11");
  await page.getByLabel("Critical path only").click();
  await expect(tree).not.toHaveAttribute("data-rows", "11");
  const address = page.url();
  await page.reload();
  await expect(page.getByLabel("Critical path only")).toBeChecked();
  await expect(page.getByLabel("Filter spans")).toHaveValue("status=error");
  expect(page.url()).toBe(address);
});

test("everything can be reached by keyboard: palette, chords, map, time range, pause", async ({ page }) => {
  await page.goto(url());
  await expect(page.getByTestId("live")).toHaveAttribute("data-state", "live", { timeout: 20_000 });
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Command palette" });
  await expect(palette.getByRole("combobox")).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.type("tail");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/logs$/);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("/demo/some/key");
  await expect(palette.getByText("Where does it live on the ring")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(palette).toBeHidden();
  await page.keyboard.press("g");
  await page.keyboard.press("v");
  await expect(page).toHaveURL(/\/events$/);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toContainText("Time range");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("t");
  await page.keyboard.press("t");
  const picker = page.getByRole("dialog", { name: "Time range" });
  await expect(picker.getByLabel("From")).toBeFocused();
  await picker.getByLabel("From").fill("noon");
  await expect(picker).toContainText("not a moment");
  await expectAccessible(page);
  await picker.getByLabel("From").fill("now/d");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/from=now%2Fd&to=now/);
  await expect(page.getByTestId("time-range")).toContainText("Today so far");
  await page.keyboard.press("p");
  await expect(page.getByTestId("live")).toHaveAttribute("data-state", "paused");
  await page.keyboard.press("/");
  await expect(page.getByPlaceholder("a worker, a mount, words of the event")).toBeFocused();
});

test("a chart is read, zoomed and turned into a table and a file by keyboard", async ({ page }) => {
  await page.goto(url());
  const chart = page.getByRole("slider", { name: "Chart: Bytes served" });
  await expect
    .poll(async () => Number(await chart.getAttribute("aria-valuemax")), { timeout: 30_000 })
    .toBeGreaterThan(12);
  await page.keyboard.press("p");
  await chart.focus();
  await page.keyboard.press("End");
  const last = await chart.getAttribute("aria-valuetext");
  expect(last).toMatch(/^\d\d:\d\d:\d\d: .*UFS/);
  for (let step = 0; step < 9; step++) await page.keyboard.press("Shift+ArrowLeft");
  expect(await chart.getAttribute("aria-valuetext")).not.toBe(last);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/from=\d{13}&to=\d{13}/);
  await page.goBack();
  await expect(page).not.toHaveURL(/from=/);
  await page.getByRole("button", { name: "Bytes served: show as table" }).click();
  await expect(page.getByRole("table", { name: /^Bytes served, as a table/ })).toBeVisible();
  await expect(page).toHaveURL(/tables=bytes/);
  await page.getByRole("button", { name: "Bytes served: save" }).click();
  const saved = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Save as CSV" }).press("Enter");
  expect((await saved).suggestedFilename()).toBe("ringlight-bytes.csv");
});

test("the ring tries a change, and says what it would move and cost", async ({ page }) => {
  // The leader writes down the epochs that it sees: where it is elected behind the last join, that is one.
  await page.route(/\/api\/epochs$/, async (route) => {
    const answer = (await (await route.fetch()).json()) as {
      epochs: { epoch: number; members: unknown[]; atMs: number }[];
    };
    const [newest] = answer.epochs;
    if (newest === undefined) throw new Error("the ring has no history");
    const before = { ...newest, epoch: newest.epoch - 1, members: newest.members.slice(1), atMs: newest.atMs - 1000 };
    await route.fulfill({ json: { ...answer, epochs: [newest, before] } });
  });
  await page.goto(`${url()}/ring?whatif=%2B1`);
  const answer = page.getByTestId("what-if-answer");
  await expect(answer).toContainText("Cached bytes that move");
  await expect(page.getByTestId("ring-epoch")).toHaveText(/2[45](\.\d)? %/);
  await expect(page.getByTestId("ring-flow")).toHaveCount(3);
  await expectAccessible(page, "main");
  await page.getByLabel("Remove worker-1").click();
  await expect(page).toHaveURL(/whatif=%2B1%2C-worker-1/);
  await expect(answer).toContainText("ringlight ring --add 1 --remove worker-1");
  await page.getByRole("button", { name: "As it is" }).click();
  await expect(answer).toContainText("Add, remove or weigh");
  await page.getByTestId("epoch-scrubber").focus();
  await page.keyboard.press("ArrowLeft");
  await expect(page).toHaveURL(/epoch=\d+/);
  await expect(page.getByTestId("epoch-facts")).toContainText("Arcs that moved");
  await page.reload();
  await expect(page.getByTestId("epoch-facts")).toContainText("Arcs that moved");
});

test("a ring of 1,500 workers is built beside the page's thread, drawn, and searched", async ({ page }) => {
  test.setTimeout(150_000);
  const answer = (await (await page.request.get(`${url()}/api/cluster`)).json()) as {
    snapshot: { members: unknown[]; workers: unknown[] };
  };
  const ids = Array.from({ length: 1500 }, (_, index) => `node-${String(index).padStart(4, "0")}`);
  answer.snapshot.members = ids.map((id, index) => ({ id, weight: 1, joinedMs: index }));
  answer.snapshot.workers = ids.map((id) => ({ id, state: "live", sinceMs: 0, weight: 1, joinedMs: 1 }));
  await page.route(/\/api\/cluster$/, (route) => route.fulfill({ json: answer }));
  await page.route(/\/api\/events$/, (route) => route.abort());
  await page.goto(`${url()}/ring`);
  // The page answers while the other thread works.
  await expect(async () => {
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("dialog", { name: "Command palette" })).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 60_000 });
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("ring-canvas")).toHaveAttribute("data-members", "1500", { timeout: 120_000 });
  await page.getByPlaceholder("part of an id").first().fill("node-0777");
  await expect(page.getByTestId("ring-member-node-0777")).toBeVisible();
  await expect(page.getByTestId(/^ring-member-/)).toHaveCount(1);
});

test("a worker's log level is changed while it runs, its profile is saved, and both are told", async ({ page }) => {
  const id = info().workers[0]?.id ?? "";
  await page.goto(`${url()}/workers/${id}`);
  const level = page.getByLabel("Log level");
  await expect(level).toHaveValue("info");
  await level.selectOption("debug");
  await expect(page.getByTestId("control-said")).toContainText("debug and up");
  await page.getByLabel("CPU profile, seconds").fill("1");
  const saved = page.waitForEvent("download", { timeout: 40_000 });
  await page.getByRole("button", { name: "Take and save" }).click();
  const file = join(dataDir(), "worker.cpuprofile");
  await (await saved).saveAs(file);
  expect((JSON.parse(readFileSync(file, "utf8")) as { nodes: unknown[] }).nodes.length).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Back to info" }).click();
  await expect(level).toHaveValue("info");
  await page.goto(`${url()}/events?kind=config`);
  await expect(page.getByTestId("event-row").first()).toContainText(`Log level of ${id} is info, as configured`);
  await expect(page.getByTestId("audit-row").first()).toContainText("worker.log-level");
  await page.goto(`${url()}/config?process=${id}&find=logLevel`);
  await expect(page.getByTestId("setting-logLevel")).toContainText("info");
  await expect(page.getByTestId("answered")).toContainText(/5 of 5 processes answered/);
});

test("log lines are followed as they are written, and found again", async ({ page }) => {
  await page.goto(`${url()}/logs?from=now-1h&to=now`);
  const line = page.getByTestId("log-line").first();
  await expect(async () => {
    await page.getByRole("button", { name: "Search again" }).click();
    await expect(line).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 20_000 });
  await line.getByRole("button").first().press("Enter");
  await expect(line).toContainText("service");
  await page.getByRole("button", { name: "Follow", exact: true }).click();
  await expect(page).toHaveURL(/tail=on/);
  await expect(page.getByRole("button", { name: "Following" })).toBeVisible();
});

/** Addresses with state in them, and what shows that it was taken. */
const ROUND_TRIPS: readonly (readonly [string, (page: Page) => Promise<void>])[] = [
  [
    "/?from=now-15m&to=now&tables=latency",
    (page) => expect(page.getByTestId("time-range")).toHaveText("Last 15 minutes"),
  ],
  ["/ring?worker=worker-2&path=%2Fdemo%2Fa", (page) => expect(page.getByTestId("lookup-answer")).toContainText("Arc")],
  ["/workers/worker-1?from=now-1h&to=now", (page) => expect(page.getByTestId("time-range")).toHaveText("Last hour")],
  [
    "/traces?outcome=miss&min=5ms&error=false",
    (page) => expect(page.getByRole("textbox", { name: "At least" })).toHaveValue("5ms"),
  ],
  ["/logs?level=warn&text=lease", (page) => expect(page.getByRole("textbox", { name: "Text" })).toHaveValue("lease")],
  [
    "/events?kind=epoch%2Cworker&text=worker-1",
    (page) => expect(page.getByRole("button", { name: "Epochs" })).toHaveAttribute("aria-pressed", "true"),
  ],
  ["/config?only=changed&find=port", (page) => expect(page.getByLabel("Not the default")).toBeChecked()],
  ["/ring?whatif=%2B2", (page) => expect(page.getByText("of the arcs move")).toBeVisible()],
  ["/workers?find=worker-2", (page) => expect(page.getByTestId("worker-row-worker-2")).toBeVisible()],
  ["/mounts?add=1", (page) => expect(page.getByText("Add a mount")).toBeVisible()],
  ["/browse/demo?file=%2Fdemo%2FREADME.md", (page) => expect(page.getByText("Placement")).toBeVisible()],
  ["/cache?measure=latency", (page) => expect(page.getByLabel("Measure")).toHaveValue("latency")],
  ["/explain?path=%2Fdemo%2FREADME.md", (page) => expect(page.getByTestId("explanation")).toBeVisible()],
  [
    "/jobs?state=failed%2Cstopped",
    (page) =>
      expect(page.getByRole("button", { name: "stopped", exact: true })).toHaveAttribute("aria-pressed", "true"),
  ],
  [
    "/runs?pick=one%2Ctwo",
    (page) => expect(page.getByRole("link", { name: "Compare" })).toHaveAttribute("href", "/runs/compare?a=one&b=two"),
  ],
  ["/keys?edit=new", (page) => expect(page.getByRole("textbox", { name: "User" })).toBeVisible()],
];

test("what a page shows is in its address, and comes back from it", async ({ page }) => {
  // Two loads of each page: on a machine with other work that alone takes a minute.
  test.setTimeout(240_000);
  for (const [address, taken] of ROUND_TRIPS) {
    await page.goto(url() + address);
    await taken(page);
    await page.reload();
    await taken(page);
    expect(page.url()).toBe(url() + address);
  }
});

const PAGES = [
  "/",
  "/ring",
  "/workers",
  "/workers/worker-1",
  "/mounts",
  "/browse/demo",
  "/cache",
  "/explain",
  "/jobs",
  "/runs",
  "/traces",
  "/logs?from=now-1h&to=now",
  "/events",
  "/config",
  "/keys",
];

const DRAWN = "0af7651916cd43dd8448eb211c80319c";

for (const scheme of ["light", "dark"] as const) {
  test.describe(scheme, () => {
    test.use({ colorScheme: scheme, contextOptions: { reducedMotion: "reduce" } });

    for (const path of [...PAGES, `/traces/${DRAWN}?span=0000000000000001`, "/nowhere"]) {
      test(`axe finds nothing on ${path}`, async ({ page }) => {
        await page.route(`**/api/traces/${DRAWN}*`, (route) => route.fulfill({ json: fakeTrace(DRAWN, 300) }));
        await page.goto(url() + path);
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        if (path !== "/nowhere") {
          // The page itself, not what stands in its place until it has read its address.
          await expect(page.getByTestId("live")).toBeVisible();
          await expect(page.getByText("Connecting", { exact: true })).toBeHidden();
        }
        const name = path.replaceAll(/[^a-z0-9]+/gi, "-").replaceAll(/^-|-$/g, "") || "overview";
        await page.screenshot({ path: join(shots, `page-${name}-${scheme}.png`), fullPage: true });
        await expectAccessible(page);
      });
    }
  });
}

test("a worker that is killed changes the ring, the problems and where a path lives within five seconds", async ({
  page,
}) => {
  test.setTimeout(120_000);
  const victim = info().workers[1];
  if (victim === undefined) throw new Error("three workers are expected");
  await page.goto(`${url()}/ring`);
  const lookup = page.getByRole("textbox", { name: "Path" });
  const answer = page.getByTestId("lookup-answer");
  const owner = answer.getByRole("listitem").first();
  for (let number = 0; ; number++) {
    await lookup.fill(`/demo/killed/${number}`);
    if ((await owner.textContent())?.includes(victim.id)) break;
  }
  await expect(owner).not.toContainText("down");
  // The page itself notes when it shows all three, so that no time of the test's own looking is counted.
  const seen = page.evaluate<number>(`(async () => {
    const shows = () =>
      document.querySelector('[data-testid="ring-member-${victim.id}"]')?.getAttribute("data-state") === "down" &&
      document.querySelector('[data-testid="lookup-answer"] li')?.textContent.includes("down") &&
      /\\d+ problems?/.test(document.querySelector("header")?.textContent ?? "");
    while (!shows()) await new Promise(requestAnimationFrame);
    return Date.now();
  })()`);
  const killedAt = Date.now();
  process.kill(victim.pid, "SIGKILL");
  const tookMs = (await seen) - killedAt;
  await page.goto(url());
  await expect(page.getByTestId("problem-worker_down")).toContainText(victim.id);
  // The lease of 3 s, renewed at most a second before the kill, and what it takes to tell everybody.
  expect(tookMs).toBeLessThan(5_000);
  await page.goto(`${url()}/events?kind=worker`);
  await expect(page.getByText(`${victim.id} is down: its lease ran out`).first()).toBeVisible();
  await page.goto(`${url()}/workers`);
  await expect(page.getByTestId(`worker-row-${victim.id}`)).not.toContainText(/down/i, { timeout: 60_000 });
});

/**
 * The states of the pages that live on the cluster's own news, and of those of one thing each: loading, empty, error, partial and
 * stale. The pages with a route of their own are in console-pages.spec.ts and insight.spec.ts.
 */
import { expect, type Route, test } from "@playwright/test";
import { expectAccessible } from "./axe.ts";

const url = () => process.env.CONSOLE_URL ?? "";

interface Answer {
  snapshot: {
    members: unknown[];
    workers: { id: string; state: string; [field: string]: unknown }[];
    mounts: unknown[];
    problems: unknown[];
    registry: Record<string, unknown>;
  };
  tick: object;
}

const CLUSTER = /\/api\/cluster$/;
const NEWS = /\/api\/events$/;
const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** What is asked for, what is empty to it, and the words of both states. An empty state of undefined is one that the page cannot be in. */
const PAGES: readonly {
  readonly page: string;
  readonly route: RegExp;
  readonly loading: string;
  readonly empty?: { readonly json: (real: Answer) => object; readonly title: string };
}[] = [
  {
    page: "/",
    route: CLUSTER,
    loading: "Loading the cluster",
    empty: { json: nobody, title: "No worker has joined yet" },
  },
  {
    page: "/ring",
    route: CLUSTER,
    loading: "Loading the ring",
    empty: { json: nobody, title: "The ring has no members" },
  },
  {
    page: "/workers",
    route: CLUSTER,
    loading: "Loading the workers",
    empty: { json: nobody, title: "No worker has joined this cluster" },
  },
  {
    page: "/workers/worker-1",
    route: CLUSTER,
    loading: "Loading worker worker-1",
    empty: { json: nobody, title: "The ring has no member worker-1" },
  },
  {
    page: "/mounts",
    route: CLUSTER,
    loading: "Loading the mounts",
    empty: { json: nobody, title: "Nothing is mounted yet" },
  },
  {
    page: "/browse/demo",
    route: /\/api\/browse/,
    loading: "Loading /demo",
    empty: {
      json: () => ({
        path: "/demo/",
        entries: [],
        truncated: false,
        next: "",
        listedMs: Date.now(),
        answered: 3,
        asked: 3,
      }),
      title: "This folder is empty",
    },
  },
  {
    page: "/keys",
    route: /\/api\/keys$/,
    loading: "Loading the access keys",
    empty: { json: () => ({ keys: [], changeable: true }), title: "Only the root key" },
  },
  {
    page: "/runs",
    route: /\/api\/bench$/,
    loading: "Loading the runs",
    empty: { json: () => ({ directory: "/nowhere", runs: [] }), title: "No benchmark has run here yet" },
  },
  { page: "/runs/none", route: /\/api\/bench\/none/, loading: "Loading the run" },
  { page: `/traces/${TRACE}`, route: new RegExp(`/api/traces/${TRACE}`), loading: "Loading the trace" },
  { page: "/jobs/none", route: /\/api\/jobs\/none/, loading: "Loading the job" },
];

/** A cluster that nobody has joined. */
function nobody(real: Answer): Answer {
  return { ...real, snapshot: { ...real.snapshot, members: [], workers: [], mounts: [], problems: [] } };
}

const refusal = (route: Route) =>
  route.fulfill({
    status: 503,
    json: { code: "RL_REGISTRY_UNAVAILABLE", message: "no answer came", remedy: "Start it." },
    headers: { traceresponse: `00-${TRACE}-b7ad6b7169203331-01` },
  });

let real: Answer;

test.beforeAll(async ({ request }) => {
  real = (await (await request.get(`${url()}/api/cluster`)).json()) as Answer;
});

for (const { page: path, route, loading, empty } of PAGES) {
  test(`${path} says that it loads, ${empty ? "that there is nothing and how to change that, " : ""}and what failed`, async ({
    page,
  }) => {
    let answer: (route: Route) => unknown = () => {};
    await page.route(route, (asked) => answer(asked));
    // The news would tell what the answer does not.
    if (route === CLUSTER) await page.route(NEWS, (asked) => asked.abort());
    await page.goto(url() + path);
    await expect(page.getByText(loading).first()).toBeAttached();
    if (empty) {
      answer = (asked) => asked.fulfill({ json: empty.json(real) });
      await page.goto(url() + path);
      const state = page.getByTestId("empty-state").filter({ hasText: empty.title });
      await expect(state).toBeVisible();
      await expect(state.getByRole("button", { name: /Copy command/ })).toBeVisible();
      await expectAccessible(page, "main");
    }
    answer = refusal;
    await page.goto(url() + path);
    const error = page.getByTestId("error-state").first();
    await expect(error).toContainText("RL_REGISTRY_UNAVAILABLE");
    await expect(error).toContainText("Start it.");
    await expect(error.getByRole("link", { name: /Trace 0af76519/ })).toHaveAttribute("href", `/traces/${TRACE}`);
    await expectAccessible(page, "main");
    // By keyboard: Retry is a button, and the page recovers by itself too, where it asks again.
    await page.unroute(route);
    if (empty) await expect(error).toBeHidden();
  });
}

test("pages say how many workers answered, which is down, and for how long nothing was heard", async ({ page }) => {
  const [first, ...others] = real.snapshot.workers;
  const partial: Answer = {
    ...real,
    snapshot: { ...real.snapshot, workers: [{ ...first!, state: "down", sinceMs: Date.now() - 60_000 }, ...others] },
  };
  await page.route(CLUSTER, (route) => route.fulfill({ json: partial }));
  await page.route(NEWS, (route) => route.abort());
  for (const path of ["/", "/workers"]) {
    await page.goto(url() + path);
    await expect(page.getByText(`${others.length} of ${others.length + 1} workers answered`).first()).toBeVisible();
    await expect(page.getByTestId("live")).toHaveAttribute("data-state", "stale", { timeout: 15_000 });
    await expectAccessible(page, "main");
  }
  await expect(page.getByTestId(`worker-row-${first!.id}`)).toContainText(/down/i);
  await page.goto(`${url()}/ring`);
  await expect(page.getByTestId(`ring-member-${first!.id}`)).toHaveAttribute("data-state", "down");
});

test("a thousand problems of one kind are three of them and a number, and fifty on request", async ({ page }) => {
  const problems = Array.from({ length: 1200 }, (_, place) => ({
    kind: "ring_behind",
    severity: "warning",
    subject: `worker-${place}`,
    title: `Worker worker-${place} routes by an old ring`,
    cause: "It is at epoch 1, the registry at 9.",
    remedy: "Check that the worker reaches the registry.",
    command: "ringlight ring",
    sinceMs: Date.now() - 60_000,
  }));
  await page.route(CLUSTER, (route) => route.fulfill({ json: { ...real, snapshot: { ...real.snapshot, problems } } }));
  await page.route(NEWS, (route) => route.abort());
  await page.goto(url());
  const rows = page.getByTestId("problem-ring_behind");
  await expect(rows).toHaveCount(3);
  await expect(page.getByText("1,200 problems").first()).toBeVisible();
  await expect(page.getByTestId("alike-ring_behind")).toHaveText("1,197 more of this kind");
  const more = page.getByRole("button", { name: "Show 47 more" });
  await more.focus();
  await page.keyboard.press("Enter");
  await expect(rows).toHaveCount(50);
  await expect(page).toHaveURL(/problems=ring_behind/);
  await page.reload();
  await expect(rows).toHaveCount(50);
  await expectAccessible(page, "main");
});

/**
 * `ringlight bench console`: the console with many simulated workers and spans coming in. Prints when its pages first paint,
 * how long their main thread works for an update, how quickly the store is searched meanwhile, and what the process takes.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@ringlight/testing";
import { BenchProcess } from "../bench-process.ts";
import { Browser } from "./browser.ts";

/** How much. */
export interface ConsoleBenchOptions {
  readonly workers: number;
  readonly spansPerSecond: number;
  /** Seconds that the load lasts before pages are looked at, and that each page is watched. */
  readonly warmupS: number;
  readonly watchS: number;
}

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const PAGES = ["/", "/ring", "/workers", "/traces?from=now-5m&to=now", "/logs"];
const FIRST_PAINT_MS = 1000;
const UPDATE_MS = 100;
/** Of the spans that are sent: what is in flight at either end of the time counts neither way. */
const TAKEN_SHARE = 0.99;
const JOIN_MS = 300_000;

/** What the sender of spans says once a second: all since its start. */
interface SpanCounts {
  readonly sent: number;
  readonly refused: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly atMs: number;
}

interface PageFigures {
  readonly page: string;
  readonly firstPaintMs: number;
  /** Main-thread work a second of watching: pages are told of the cluster once a second. */
  readonly updateMs: number;
  readonly longestTaskMs: number;
}

const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

function fifths<T>(values: readonly T[]): readonly T[][] {
  const until = (part: number) => Math.floor((part * values.length) / 5);
  return Array.from({ length: 5 }, (_, part) => values.slice(until(part), until(part + 1)));
}

/** Spans taken a second between two reports. */
function rateOf(from: SpanCounts | undefined, to: SpanCounts | undefined): number {
  return from && to ? ((to.sent - from.sent) / (to.atMs - from.atMs)) * 1000 : Number.NaN;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function rssMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

async function until(what: string, condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await pause(250);
  }
}

async function lookAt(browser: Browser, url: string, page: string, watchS: number): Promise<PageFigures> {
  await browser.call("Page.navigate", { url: `${url}${page}` });
  const paint = `new Promise((done) => {
    const look = () => {
      const entry = performance.getEntriesByName("first-contentful-paint")[0];
      if (entry) done(entry.startTime); else setTimeout(look, 20);
    };
    look();
  })`;
  await pause(200);
  const firstPaintMs = await browser.evaluate<number>(paint);
  // What the page does to come up is not an update.
  await pause(3000);
  await browser.evaluate(
    "window.longest = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) window.longest = Math.max(window.longest, e.duration); }).observe({ type: 'longtask' })",
  );
  const before = await browser.taskSeconds();
  await pause(watchS * 1000);
  const updateMs = (((await browser.taskSeconds()) - before) / watchS) * 1000;
  return { page, firstPaintMs, updateMs, longestTaskMs: await browser.evaluate<number>("window.longest") };
}

/** Runs the benchmark and prints its figures. Resolves with whether they are within their bounds. */
export async function benchConsole(options: ConsoleBenchOptions): Promise<boolean> {
  const { workers, spansPerSecond, warmupS, watchS } = options;
  const dataDir = mkdtempSync(join(tmpdir(), "bench-console-"));
  const stops: (() => Promise<void>)[] = [async () => rmSync(dataDir, { recursive: true, force: true })];
  const started = (process: BenchProcess) => {
    stops.push(() => process.stop());
    return process;
  };
  try {
    const registryPort = await freePort();
    const registry = `127.0.0.1:${registryPort}`;
    started(
      new BenchProcess("registry", script("../../../libs/registry/src/main.ts"), ["--port", String(registryPort)]),
    );
    const simulated = started(
      new BenchProcess("workers", script("simulated-workers-main.ts"), [registry, String(workers)]),
    );
    await simulated.line((line) => (line === "ready" ? true : undefined));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const flags = ["--data-dir", join(dataDir, "console"), "--port", String(port), "--registry", registry];
    const server = started(new BenchProcess("console", script("../../../apps/console/src/main.ts"), flags));
    const cluster = async () =>
      (await (await fetch(`${url}/api/cluster`)).json()) as { snapshot: { workers: { state: string }[] } };
    await until(
      `${workers} workers live`,
      async () => (await cluster()).snapshot.workers.filter(({ state }) => state === "live").length === workers,
      JOIN_MS,
    );
    console.log(`${workers} workers are live; ${spansPerSecond} spans a second begin to come in.`);
    const senders = started(
      new BenchProcess("senders", script("simulated-spans-main.ts"), [url, String(spansPerSecond)]),
    );
    let counts: SpanCounts = { sent: 0, refused: 0, failed: 0, skipped: 0, failures: {}, atMs: 0 };
    const history: SpanCounts[] = [];
    void senders
      .line((line) => {
        counts = JSON.parse(line) as SpanCounts;
        history.push(counts);
        return undefined;
      })
      .catch(() => {});
    await pause(warmupS * 1000);

    const memory: number[] = [];
    const searches: number[] = [];
    let watching = true;
    const sampling = (async () => {
      while (watching) {
        memory.push(rssMib(server.pid));
        const begin = performance.now();
        await (await fetch(`${url}/api/traces?from=now-15m&limit=50&mount=mount-1&reason=evicted`)).arrayBuffer();
        searches.push(performance.now() - begin);
        await pause(500);
      }
    })();
    // It is awaited below; where another part fails first, that part's error is the one to tell.
    sampling.catch(() => {});
    const before = counts;
    const [begin, cpuBefore, senderCpuBefore] = [performance.now(), server.cpuSeconds(), senders.cpuSeconds()];
    const browser = await Browser.start();
    stops.push(() => browser.stop());
    const figures: PageFigures[] = [];
    for (const page of PAGES) figures.push(await lookAt(browser, url, page, watchS));
    const seconds = (performance.now() - begin) / 1000;
    // By the sender's own clock: its counts are up to a second old at either end.
    const taken = rateOf(before, counts);
    const senderCpu = (senders.cpuSeconds() - senderCpuBefore) / seconds;
    const cpu = (server.cpuSeconds() - cpuBefore) / seconds;
    watching = false;
    await sampling;

    for (const { page, firstPaintMs, updateMs, longestTaskMs } of figures) {
      console.log(
        `${page.padEnd(28)} first paint ${firstPaintMs.toFixed(0).padStart(5)} ms   work for an update ${updateMs.toFixed(1).padStart(6)} ms   longest task ${longestTaskMs.toFixed(0).padStart(4)} ms`,
      );
    }
    console.log(
      `spans taken a second: ${taken.toFixed(0)} (refused ${counts.refused}, failed ${counts.failed}, not sent ${counts.skipped}); their sender: ${senderCpu.toFixed(2)} cores`,
    );
    for (const [why, times] of Object.entries(counts.failures)) console.log(`requests that failed: ${times} by ${why}`);
    console.log(
      `search while they come in: median ${quantile(searches, 0.5).toFixed(0)} ms, 99th percentile ${quantile(searches, 0.99).toFixed(0)} ms`,
    );
    console.log(
      `console: ${cpu.toFixed(2)} cores, ${Math.max(...memory).toFixed(0)} MiB at most, ${memory.at(-1)?.toFixed(0)} MiB at the end`,
    );
    const most = fifths(memory).map((part) => Math.max(...part).toFixed(0));
    console.log(`memory at most, by fifths of ${seconds.toFixed(0)} s: ${most.join(", ")} MiB`);
    const rates = fifths(history).map((part) => rateOf(part[0], part.at(-1)).toFixed(0));
    console.log(`spans taken a second, by fifths of the time since they came: ${rates.join(", ")}`);
    const quick = figures.every(({ firstPaintMs, updateMs }) => firstPaintMs < FIRST_PAINT_MS && updateMs < UPDATE_MS);
    return quick && taken >= spansPerSecond * TAKEN_SHARE && counts.refused + counts.failed === 0;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

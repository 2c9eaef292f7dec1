/**
 * The demo reader: `node traffic.ts S3-ENDPOINT CREDENTIALS-FILE DEMO-DIR`. Some 20 requests a second, a few files much
 * more often than the rest: whole images, Parquet footers and column chunks, slices of logs. Now and then it rewrites a
 * small log, so that misses keep occurring. It survives whatever is away and goes on when it is back.
 */
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { setPriority } from "node:os";
import path from "node:path";
import { systemClock } from "@ringlight/core";
import { type Credentials, signRequest } from "@ringlight/sigv4";
import { makeLog } from "./log-text.ts";
import { type DemoObject, planRead, zipf } from "./reads.ts";

const BUCKET = "demo";
const REQUESTS_PER_S = 20;
const CONCURRENT = 4;
const TIMEOUT_MS = 10_000;
const RELIST_MS = 5_000;
const REWRITE_MS = 7_000;
const PAUSE_AFTER_ERROR_MS = 1_000;
const LIVE_LOG = "logs/live.jsonl";
const LIVE_LOG_BYTES = 200_000;

const [endpoint = "", credentialsFile = "", demoDir = ""] = process.argv.slice(2);

if (process.env.RINGLIGHT_PARENT_PIPE === "1") {
  const leave = () => process.exit(0);
  process.stdin.once("end", leave).once("error", leave).resume();
}
process.once("SIGTERM", () => process.exit(0));
setPriority(5);

const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENT });
const credentials = JSON.parse(readFileSync(credentialsFile, "utf8")) as Credentials;

function list(): DemoObject[] {
  try {
    return readdirSync(demoDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = path.join(entry.parentPath, entry.name);
        return { key: path.relative(demoDir, file), sizeBytes: statSync(file).size };
      })
      .filter(({ sizeBytes }) => sizeBytes > 0);
  } catch {
    // The directory is not there yet, or a file left it in mid-listing.
    return [];
  }
}

function get(key: string, range: string | undefined): Promise<void> {
  const url = new URL(`${endpoint}/${BUCKET}/${key.split("/").map(encodeURIComponent).join("/")}`);
  const headers: Record<string, string> = range === undefined ? {} : { range };
  const signed = signRequest({ method: "GET", url, headers }, { credentials, region: "us-east-1" });
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers: signed, agent, timeout: TIMEOUT_MS }, (response) => {
      response.once("error", reject);
      response.once("end", () => {
        if (response.statusCode === 503) reject(new Error("no answer"));
        else resolve();
      });
      response.resume();
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error("timed out")));
    outgoing.once("error", reject);
    outgoing.end();
  });
}

let rewrites = 0;

/** A new version of the live log, whole at once. */
function rewriteLiveLog(): void {
  try {
    const file = path.join(demoDir, LIVE_LOG);
    const text = makeLog(1000 + rewrites++, LIVE_LOG_BYTES);
    // Outside of the mounted directory until it is whole.
    const partial = `${demoDir}.live`;
    writeFileSync(partial, text);
    renameSync(partial, file);
  } catch {
    // The directory is not there yet, or the disk is full: next time.
  }
}

async function main(): Promise<never> {
  let objects: DemoObject[] = [];
  let rank = zipf(1, Math.random);
  let listedMs = Number.NEGATIVE_INFINITY;
  let rewrittenMs = Number.NEGATIVE_INFINITY;
  let inFlight = 0;
  let pauseUntilMs = 0;
  for (;;) {
    const now = systemClock.monotonicMs();
    if (now - rewrittenMs > REWRITE_MS) {
      rewrittenMs = now;
      rewriteLiveLog();
    }
    if (now - listedMs > RELIST_MS) {
      listedMs = now;
      const found = list();
      if (found.length !== objects.length) rank = zipf(found.length, Math.random);
      objects = found;
    }
    if (objects.length > 0 && inFlight < CONCURRENT && now >= pauseUntilMs) {
      const live = Math.random() < 0.03 ? objects.find(({ key }) => key === LIVE_LOG) : undefined;
      const { key, range } = planRead(live ?? objects[rank()]!, Math.random);
      inFlight++;
      get(key, range)
        .catch(() => {
          pauseUntilMs = systemClock.monotonicMs() + PAUSE_AFTER_ERROR_MS;
        })
        .finally(() => inFlight--);
    }
    await systemClock.sleep((1000 / REQUESTS_PER_S) * (0.5 + Math.random()));
  }
}

await main();

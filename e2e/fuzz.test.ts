/**
 * Mutated requests to the S3 ports of a real cluster: paths, queries, headers, signatures, documents, chunk framing; whole,
 * slow, cut off and left hanging. Each gets an answer below 500 or is cut off, no byte from outside of a mount comes back,
 * every worker lives, and its memory, garbage collected, is at the end what it was at half. RL_FUZZ_REQUESTS sets their number, RL_FUZZ_SEED the seed.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { waitFor } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";
import { type MutatedRequest, requestMaker } from "./fuzz/mutated-requests.ts";

const REQUESTS = Number(process.env.RL_FUZZ_REQUESTS ?? 4_000);
const SEED = Number(process.env.RL_FUZZ_SEED ?? 20_261_126);
const AT_ONCE = 64;
const SECRET = "BYTES FROM OUTSIDE OF EVERY MOUNT";
/** A request that gets neither an answer nor an end for so long hangs. */
const HANG_MS = 60_000;
/** After how long a client gives up what it does not finish. */
const GIVE_UP_MS = 500;
/** What the system may hold more for a worker at the end than at half, after collections: arenas of the allocator, not requests. */
const GROWTH_BYTES = 64 * 1024 * 1024;
/** What of a worker's heap and buffers may be more after a collection at the end than after one at half: caches that fill. */
const HELD_BYTES = 12 * 1024 * 1024;
const COLLECT = fileURLToPath(new URL("./fuzz/memory-on-signal.ts", import.meta.url));

let cluster: Cluster;
let directory: string;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "ringlight-fuzz-"));
  for (const name of ["open", "written", "shut"]) mkdirSync(join(directory, name));
  for (const place of ["outside", "open/plain", "written/plain"]) writeFileSync(join(directory, place), "inside");
  writeFileSync(join(directory, "outside"), SECRET);
  writeFileSync(join(directory, "shut", "plain"), SECRET);
  const mount = (name: string, options = "") => ["--mount", `/${name}=file://${directory}/${name}${options}`];
  mkdirSync(join(directory, "memory"));
  cluster = await startCluster({
    portOffset: 1060,
    env: { NODE_OPTIONS: `--expose-gc --import=${COLLECT}`, RL_MEMORY_DIRECTORY: join(directory, "memory") },
    args: ["--no-console", "--workers", "2", ...mount("open", ",access=anonymous-read"), ...mount("written")],
  });
});

after(async () => {
  await cluster?.remove();
  rmSync(directory, { recursive: true, force: true });
});

/** Sends a request and returns what came back. @throws when nothing happens for too long */
function send(port: number, { bytes, manner }: MutatedRequest): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const pieces: Buffer[] = [];
  const socket = connect(port, "127.0.0.1");
  const timer = setTimeout(() => {
    socket.destroy();
    reject(new Error("it hangs"));
  }, HANG_MS);
  socket.on("data", (piece) => pieces.push(piece));
  // Being cut off is an answer, too.
  socket.on("error", () => undefined);
  socket.on("close", () => {
    clearTimeout(timer);
    resolve(Buffer.concat(pieces).toString("latin1"));
  });
  const write = async () => {
    const middle = Math.floor(bytes.length / 2);
    if (manner === "cut") {
      socket.write(bytes.subarray(0, middle), () => socket.destroy());
      return;
    }
    if (manner === "slow") {
      for (let at = 0; at < bytes.length && !socket.destroyed; at += 97) {
        socket.write(bytes.subarray(at, at + 97));
        await sleep(2);
      }
    } else socket.write(manner === "left" ? bytes.subarray(0, middle) : bytes);
    // What was mutated away is never sent: the server may wait for it until the client gives up.
    await sleep(GIVE_UP_MS);
    if (manner === "left") socket.destroy();
    else socket.end();
  };
  void write();
  return promise;
}

/** What a worker holds when its garbage is collected, and what the system holds for it. */
async function held(pid: number): Promise<{ readonly held: number; readonly resident: number }> {
  const file = join(directory, "memory", `${pid}.json`);
  rmSync(file, { force: true });
  process.kill(pid, "SIGUSR2");
  await waitFor(() => existsSync(file), { timeoutMs: HANG_MS, what: "the worker to collect its garbage" });
  const { heapUsed, external, rss } = JSON.parse(readFileSync(file, "utf8")) as NodeJS.MemoryUsage;
  return { held: heapUsed + external, resident: rss };
}

test("mutated requests: no crash, no hang, no failure of ours, no byte from outside, no growth", async () => {
  const { workers } = cluster.info();
  const makers = workers.map(({ s3 }, index) => ({
    port: Number(s3.slice(s3.lastIndexOf(":") + 1)),
    make: requestMaker(SEED + index, s3, cluster),
  }));
  const statuses = new Map<number, number>();
  let begun = 0;
  const some = async (until: number) => {
    while (begun < until) {
      const { port, make } = makers[begun++ % makers.length] as (typeof makers)[number];
      const request = make();
      const answer = await send(port, request).catch((error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(request.bytes.toString("latin1"))}`);
      });
      const status = Number(/^HTTP\/1\.1 (?:100[^\n]*\r\n\r\nHTTP\/1\.1 )?(\d{3})/.exec(answer)?.[1] ?? 0);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const shown = JSON.stringify([request.bytes.toString("latin1"), answer.slice(0, 600)]);
      assert.ok(status < 500 || status === 501, `seed ${SEED}: ${shown}`);
      assert.ok(!answer.includes(SECRET) && !answer.includes("root:x:"), `seed ${SEED}: ${shown}`);
    }
  };
  const run = (until: number) => Promise.all(Array.from({ length: AT_ONCE }, () => some(until)));
  await run(Math.floor(REQUESTS / 2));
  const atHalf = await Promise.all(workers.map(({ pid }) => held(pid)));
  await run(REQUESTS);
  const atEnd = await Promise.all(workers.map(({ pid }) => held(pid)));
  const more = atEnd.map((end, index) => end.held - (atHalf[index]?.held ?? 0));
  const grown = atEnd.map((end, index) => end.resident - (atHalf[index]?.resident ?? 0));
  assert.deepEqual(
    cluster.info().workers.map(({ pid }) => pid),
    workers.map(({ pid }) => pid),
    "no worker was started again",
  );
  const memory = JSON.stringify({ atHalf, atEnd });
  assert.ok(Math.max(...grown) < GROWTH_BYTES, `a worker grew in the second half: ${memory}`);
  assert.ok(
    Math.max(...more) < HELD_BYTES,
    `after a collection a worker holds more at the end than at half: ${memory}`,
  );
  assert.equal(readFileSync(join(directory, "outside"), "utf8"), SECRET, "nothing outside was written");
  // Both what is taken and what is refused must have been met, or the requests were no test.
  const met = (low: number, high: number) =>
    [...statuses].filter(([status]) => status >= low && status < high).reduce((sum, [, count]) => sum + count, 0);
  assert.ok(met(200, 300) > REQUESTS / 20 && met(400, 500) > REQUESTS / 4, JSON.stringify([...statuses].sort()));
  console.log(`${REQUESTS} requests; ${memory}; ${JSON.stringify([...statuses].sort())}`);
});

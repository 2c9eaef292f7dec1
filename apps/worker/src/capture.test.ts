import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect } from "@ringlight/client";
import { type CaptureEntry, captureHeader, readCapture, systemClock } from "@ringlight/core";
import { FakeClock, waitFor } from "@ringlight/testing";
import { Capture } from "./capture.ts";
import { startTestCluster } from "./test-cluster.ts";

const scratch = mkdtempSync(join(tmpdir(), "ringlight-capture-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const entry = (at: number, atMs = 0): CaptureEntry => ({
  atMs,
  op: "get",
  path: `/demo/dir/object-${at % 1000}`,
  client: "127.0.0.1",
  offset: (at % 64) * 1_048_576,
  length: 131_072,
  sizeBytes: 67_108_864,
  outcome: "hit",
});

test("a worker records hits, misses, other requests and gRPC reads with ranges, clients and outcomes", async () => {
  const cluster = await startTestCluster(1);
  try {
    cluster.origin.putObject("data", "a/b", { sizeBytes: 200_000, seed: 1 });
    await cluster.mount("data");
    const grpc = await connect({
      endpoints: [cluster.workers[0]!.record.addresses.grpc],
      shortCircuit: false,
    });
    const started = await grpc.startCapture();
    assert.deepEqual([started.states[0]?.running, started.answered], [true, 1]);
    await assert.rejects(grpc.startCapture(), { code: "RL_CONFLICT" });
    const url = cluster.presigned(0, "data", "a/b");
    const read = async (range?: string) => {
      const response = await fetch(url, range === undefined ? {} : { headers: { range } });
      return (await response.arrayBuffer()).byteLength;
    };
    assert.equal(await read("bytes=1000-1999"), 1000);
    // The page is in the store a moment after its first reader has it.
    await waitFor(async () => (await fetch(url, { method: "GET" })).headers.get("cache-status")?.includes("; hit"), {
      timeoutMs: 10_000,
    });
    assert.equal(await read("bytes=0-9"), 10);
    assert.equal(await read(), 200_000);
    await read("bytes=900000-");
    assert.equal((await grpc.readRange("/data/a/b", 5, 7)).length, 7);
    await waitFor(async () => ((await grpc.captures()).states[0]?.requests ?? 0) >= 5, { timeoutMs: 10_000 });
    const { states } = await grpc.stopCapture();
    assert.deepEqual([states[0]?.running, states[0]?.ended, states[0]?.dropped], [false, "stopped", 0]);
    const pieces: Uint8Array[] = [];
    for await (const piece of grpc.readCapture("worker-0")) pieces.push(piece);
    grpc.close();
    const file = Buffer.concat(pieces);
    assert.equal(file.length, states[0]?.bytes);
    assert.equal(captureHeader(file).workerId, "worker-0");
    const all = [...readCapture(file)];
    const last = all.findIndex(({ offset, length }) => offset === 0 && length === 10);
    const entries = [all[0]!, ...all.slice(last)];
    assert.deepEqual(
      entries.slice(0, 4).map(({ op, path, offset, length, outcome }) => [op, path, offset, length, outcome]),
      [
        ["get", "/data/a/b", 1000, 1000, "miss"],
        ["get", "/data/a/b", 0, 10, "hit"],
        ["get", "/data/a/b", 0, 200_000, "hit"],
        ["get", "/data/a/b", 900_000, entries[3]?.length, "error"],
      ],
    );
    assert.ok(entries.some(({ client, outcome }) => client === "grpc" && outcome === "hit"));
    assert.equal(entries[0]?.client.replace("::ffff:", ""), "127.0.0.1");
  } finally {
    await cluster.close();
  }
});

test("a recording ends at its bounds, says why, and hashes paths where it is told to", async () => {
  const clock = new FakeClock();
  const capture = new Capture({
    workerId: "w",
    cluster: "c",
    directory: join(scratch, "bounds"),
    clock,
    warn: () => {},
  });
  await capture.start({ hashPaths: true, maxBytes: 0, maxDurationMs: 1 });
  capture.note(entry(1, clock.now()));
  await clock.advance(10);
  await waitFor(() => !capture.running, { timeoutMs: 10_000 });
  await waitFor(() => capture.state().ended === "its time is over", { timeoutMs: 10_000 });
  await capture.stop("");
  const [only, ...more] = readCapture(readFileSync(capture.state().file));
  assert.match(only?.path ?? "", /^#[0-9a-f]{16}$/);
  assert.equal(more.length, 0);
  await clock.advance(2000);
  await capture.start({ hashPaths: false, maxBytes: 100, maxDurationMs: 0 });
  for (let at = 0; at < 10; at++) capture.note(entry(at, clock.now()));
  await waitFor(() => capture.state().ended === "its file has the most bytes that it may have", { timeoutMs: 10_000 });
});

test("an entry costs less than 5 µs of processor time and 20 bytes; what does not fit is counted", async () => {
  const capture = new Capture({
    workerId: "w",
    cluster: "c",
    directory: join(scratch, "cost"),
    clock: systemClock,
    warn: () => {},
  });
  await capture.start({ hashPaths: false, maxBytes: 0, maxDurationMs: 0 });
  const entries = Array.from({ length: 2000 }, (_, at) => entry(at));
  const startedMs = Date.now();
  for (let warm = 0; warm < 20_000; warm++) capture.note(entries[warm % entries.length]!);
  const before = process.cpuUsage();
  const count = 100_000;
  for (let at = 0; at < count; at++) capture.note({ ...entries[at % entries.length]!, atMs: startedMs + at / 50 });
  const { user, system } = process.cpuUsage(before);
  // Half a second of requests at the greatest rate is more than the memory holds when nothing is written meanwhile.
  for (let at = 0; at < 300_000; at++) capture.note(entries[at % entries.length]!);
  const state = await capture.stop("done");
  const perEntryUs = (user + system) / count;
  assert.ok(perEntryUs < 5, `${perEntryUs} µs an entry`);
  assert.ok(state.bytes / state.requests < 20, `${state.bytes / state.requests} bytes an entry`);
  assert.ok(state.dropped > 0);
  assert.equal(state.requests + state.dropped, 420_000);
  console.log(`capture: ${perEntryUs.toFixed(2)} µs and ${(state.bytes / state.requests).toFixed(1)} bytes an entry`);
});

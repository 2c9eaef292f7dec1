/** Tasks on real workers over an S3 origin, asked for as a scheduler does. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type TaskEvent,
  TaskRequest,
  TaskServiceClient,
  TaskUnit,
  type UnitResult,
  WorkerServiceClient,
} from "@ringlight/proto";
import { callStream, callUnary, connectGrpc } from "@ringlight/rpc";
import { parquetWriteBuffer } from "hyparquet-writer";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
let cluster: TestCluster;
let tasks: TaskServiceClient;
let worker: WorkerServiceClient;
let jobs = 0;

before(async () => {
  cluster = await startTestCluster(1, ["--page-size=64KiB", "--segment-size=1MiB", "--mem=32MiB", "--ssd=0"]);
  await cluster.mount("data");
  const address = cluster.workers[0]?.record.addresses.grpc ?? "";
  tasks = connectGrpc(TaskServiceClient, address);
  worker = connectGrpc(WorkerServiceClient, address);
});

after(async () => {
  tasks?.close();
  worker?.close();
  await cluster?.close();
});

function unitOf(key: string, segment = 0) {
  const object = cluster.origin.bytesOf("data", key);
  return { path: `/data/${key}`, version: etags.get(key) ?? "", sizeBytes: object.length, segment, whole: false };
}

const etags = new Map<string, string>();

function put(key: string, data: string | Uint8Array | { sizeBytes: number; seed?: number }): void {
  etags.set(key, cluster.origin.putObject("data", key, data).etag);
}

async function run(
  op: string,
  units: readonly Partial<TaskUnit>[],
  settings: Partial<TaskRequest> = {},
): Promise<UnitResult[]> {
  const request = TaskRequest.fromPartial({
    taskId: "t",
    limits: { jobId: `job-${jobs++}`, bytesPerSecond: 0, concurrency: 0 },
    op,
    verify: false,
    skipCached: false,
    metadataOnly: false,
    units: [...units],
    ...settings,
  });
  const events: TaskEvent[] = [];
  for await (const event of callStream(tasks, "runTask", request)) events.push(event);
  return events.flatMap(({ results }) => results).sort((a, b) => a.unit - b.unit);
}

async function covered(key: string): Promise<number> {
  const { path, version, sizeBytes } = unitOf(key);
  const answer = await callUnary(worker, "coverage", { objects: [{ path, version, sizeBytes }] });
  return answer.objects[0]?.cachedBytes ?? -1;
}

test("a load fetches every page once, with the metadata, and a second one finds all of it", async () => {
  const keys = ["a/0", "a/1", "a/big", "a/empty"];
  put("a/0", "x".repeat(100));
  put("a/1", { sizeBytes: PAGE + 1, seed: 1 });
  put("a/big", { sizeBytes: 2 * MIB + 77, seed: 2 });
  put("a/empty", "");
  const units = [
    unitOf("a/0"),
    unitOf("a/1"),
    unitOf("a/big"),
    unitOf("a/big", 1),
    unitOf("a/big", 2),
    unitOf("a/empty"),
  ];
  cluster.origin.resetCounts();
  const first = await run("load", units);
  assert.deepEqual(
    first.map(({ outcome, presentBytes, cachedBeforeBytes, readBytes }) => [
      outcome,
      presentBytes,
      cachedBeforeBytes,
      readBytes,
    ]),
    [
      ["loaded", 100, 0, 100],
      ["loaded", PAGE + 1, 0, PAGE + 1],
      ["loaded", MIB, 0, MIB],
      ["loaded", MIB, 0, MIB],
      ["loaded", 77, 0, 77],
      ["cached", 0, 0, 0],
    ],
  );
  for (const key of keys) assert.equal(await covered(key), unitOf(key).sizeBytes, key);
  const sent = cluster.origin.requests
    .filter(({ op }) => op === "GetObject")
    .reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(sent, 100 + PAGE + 1 + 2 * MIB + 77);
  assert.equal(cluster.origin.count({ op: "HeadObject" }), 2, "what fits into one GET was learned by it");
  cluster.origin.resetCounts();
  const second = await run("load", units);
  assert.deepEqual([...new Set(second.map(({ outcome }) => outcome))], ["cached"]);
  assert.equal(cluster.origin.count({ op: "GetObject" }), 0);
  const stat = await callUnary(worker, "stat", { path: "/data/a/big" });
  assert.equal(stat.sizeBytes, 2 * MIB + 77);
  assert.equal(cluster.origin.count({ op: "HeadObject" }), 0, "the metadata was loaded too");
});

test("the memory of loaded pages is used again", async (t) => {
  const units = ["again/0", "again/1", "again/2", "again/3"].map((key, seed) => {
    put(key, { sizeBytes: MIB, seed });
    return unitOf(key);
  });
  // What is known is not learned with its bytes, but read.
  for (const unit of units) await run("load", [unit]);
  await run("free", units);
  const made = t.mock.method(Buffer, "allocUnsafeSlow");
  for (const unit of units) await run("load", [unit]);
  const pages = made.mock.calls.filter(({ arguments: [bytes] }) => bytes === PAGE).length;
  assert.ok(pages < MIB / PAGE, `${pages} pages' memory was made anew for ${(4 * MIB) / PAGE} pages`);
});

test("loads are not counted as readers' page requests", async () => {
  put("quiet", { sizeBytes: 4 * PAGE, seed: 3 });
  await run("load", [unitOf("quiet")]);
  for await (const stats of callStream(worker, "watchStats", { intervalMs: 0 })) {
    assert.deepEqual(stats.pages, []);
    break;
  }
});

test("each object that cannot be loaded has a reason of its own, and the others are loaded", async () => {
  for (const key of ["f/denied", "f/gone", "f/changed", "f/fine", "f/moment"]) put(key, { sizeBytes: PAGE, seed: 4 });
  const units = ["f/denied", "f/gone", "f/changed", "f/fine", "f/moment"].map((key) => unitOf(key));
  cluster.origin.fail({ key: "f/denied" }, { status: 403, code: "AccessDenied" });
  cluster.origin.fail({ key: "f/moment", op: "GetObject" }, { status: 500, times: 2 });
  cluster.origin.deleteObject("data", "f/gone");
  put("f/changed", { sizeBytes: 2 * PAGE, seed: 5 });
  const results = await run("load", units);
  cluster.origin.clearFaults();
  assert.deepEqual(
    results.map(({ outcome, code }) => [outcome, code]),
    [
      ["failed", "RL_UFS_DENIED"],
      ["failed", "RL_NOT_FOUND"],
      ["changed", "RL_VERSION_CHANGED"],
      ["loaded", ""],
      ["loaded", ""],
    ],
  );
  assert.equal(results[2]?.object?.sizeBytes, 2 * PAGE);
  assert.equal(results[2]?.object?.version, etags.get("f/changed"));
});

test("pages that no tier keeps make a refusal, not a load", async () => {
  put("huge", { sizeBytes: 64 * MIB, seed: 6 });
  const units = Array.from({ length: 64 }, (_, segment) => unitOf("huge", segment));
  const results = await run("load", units);
  const held = await covered("huge");
  assert.ok(held < 33 * MIB);
  // Each result was true when it was made; what was evicted later is for the job's audit to find.
  const audit = await run("check", units);
  assert.equal(
    audit.reduce((sum, { presentBytes }) => sum + presentBytes, 0),
    held,
  );
  assert.ok(audit.some(({ outcome, code }) => outcome === "missing" && code === "RL_NOT_CACHED"));
  assert.equal(results.length, 64);
  await run("free", [{ ...unitOf("huge"), whole: true }]);
});

test("verify compares with the checksum, and with the bytes where there is none", async () => {
  put("v/md5", "md5 of this is the etag ".repeat(9000));
  put("v/plain", { sizeBytes: MIB + 3 * PAGE + 5, seed: 7 });
  const results = await run("load", [unitOf("v/md5"), unitOf("v/plain"), unitOf("v/plain", 1)], { verify: true });
  assert.deepEqual(
    results.map(({ outcome, verified }) => [outcome, verified]),
    [
      ["loaded", true],
      ["loaded", true],
      ["loaded", true],
    ],
  );
  assert.equal(results[0]?.readBytes, unitOf("v/md5").sizeBytes, "the checksum needs no second read");
  assert.equal(results[1]?.readBytes, 2 * MIB, "the bytes are read again");
});

test("free drops what is cached, and says how much that was", async () => {
  put("free/me", { sizeBytes: 3 * MIB, seed: 8 });
  await run(
    "load",
    [0, 1, 2].map((segment) => unitOf("free/me", segment)),
  );
  const [freed] = await run("free", [{ ...unitOf("free/me"), whole: true }]);
  assert.deepEqual([freed?.outcome, freed?.cachedBeforeBytes, freed?.presentBytes], ["freed", 3 * MIB, 0]);
  assert.equal(await covered("free/me"), 0);
});

test("sync notices that a known object changed or is gone, and scrub checks what is cached", async () => {
  for (const key of ["s/same", "s/new", "s/gone"]) put(key, { sizeBytes: PAGE, seed: 9 });
  await run(
    "load",
    ["s/same", "s/new", "s/gone"].map((key) => unitOf(key)),
  );
  const old = unitOf("s/new");
  put("s/new", { sizeBytes: PAGE, seed: 10 });
  cluster.origin.deleteObject("data", "s/gone");
  const gone = { path: "/data/s/gone", version: '"another"', sizeBytes: PAGE, segment: 0, whole: true };
  const unknown = { path: "/data/s/unknown", version: '"x"', sizeBytes: PAGE, segment: 0, whole: true };
  const results = await run("sync", [unitOf("s/same"), unitOf("s/new"), gone, unknown]);
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ["clean", "changed", "changed", "clean"],
  );
  const [check] = await run("check", [old]);
  assert.equal(check?.presentBytes, 0, "the old version's pages were dropped");
  const scrubbed = await run("scrub", [unitOf("s/same")]);
  assert.deepEqual([scrubbed[0]?.outcome, scrubbed[0]?.presentBytes], ["clean", PAGE]);
});

test("a task ends with its caller, and shows signs of life while it waits", async () => {
  put("slow", { sizeBytes: PAGE, seed: 11 });
  cluster.origin.stall({ key: "slow", op: "GetObject" }, Number.POSITIVE_INFINITY);
  const limits = { jobId: "slow", bytesPerSecond: 0, concurrency: 1 };
  const request = TaskRequest.fromPartial({ taskId: "t", limits, op: "load" });
  let beats = 0;
  for await (const event of callStream(tasks, "runTask", {
    ...request,
    units: [TaskUnit.fromPartial(unitOf("slow"))],
  })) {
    assert.deepEqual(event.results, []);
    if (++beats === 2) break;
  }
  cluster.origin.clearFaults();
  const { known } = await callUnary(tasks, "setTaskLimits", { jobId: "never", bytesPerSecond: 1, concurrency: 0 });
  assert.equal(known, false);
});

test("of a Parquet file only the chunks of the named columns and the footer are loaded, whatever segment they lie in", async () => {
  const rows = 40_000;
  const data = (name: string, salt: number) => ({
    name,
    type: "DOUBLE" as const,
    data: Array.from({ length: rows }, (_, row) => Math.sin(row * salt)),
  });
  const columnData = ["a", "b", "c", "d", "e", "f"].map((name, index) => data(name, index + 1));
  const file = new Uint8Array(parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: rows / 2 }));
  assert.ok(file.length > MIB, "it has more than one segment");
  put("t.parquet", file);
  const units = Array.from({ length: Math.ceil(file.length / MIB) }, (_, segment) => unitOf("t.parquet", segment));
  const results = await run("load", units, { columns: ["b", "d"] });
  const wanted = results.reduce((sum, { wantedBytes }) => sum + wantedBytes, 0);
  const present = results.reduce((sum, { presentBytes }) => sum + presentBytes, 0);
  // Two columns of six, in two row groups, each chunk with up to two pages that it shares with others; and the footer.
  assert.ok(wanted >= file.length / 3 && wanted < file.length / 2 + 4 * PAGE, `${wanted} of ${file.length}`);
  assert.equal(present, wanted);
  assert.equal(await covered("t.parquet"), wanted);
  const again = await run("check", units, { columns: ["b", "d"] });
  assert.deepEqual([...new Set(again.map(({ outcome }) => outcome))], ["cached"]);
  const others = await run("check", units, { columns: ["a"] });
  assert.ok(others.some(({ outcome }) => outcome === "missing"));
  // One more column, and all that is meant is read back and compared with the store: the new pages twice, the others once.
  const verified = await run("load", units, { columns: ["b", "d", "f"], verify: true });
  assert.deepEqual([...new Set(verified.map((result) => result.verified))], [true]);
  const meant = verified.reduce((sum, { wantedBytes }) => sum + wantedBytes, 0);
  const read = verified.reduce((sum, { readBytes }) => sum + readBytes, 0);
  const fresh = meant - wanted;
  assert.ok(fresh > 0 && meant < file.length, `${meant} of ${file.length}`);
  // Owners of other segments than the last one read the footer from the store.
  assert.ok(
    read >= meant + fresh && read <= meant + fresh + units.length * PAGE,
    `${read} bytes were read for ${meant}`,
  );
  await run("load", units, { columns: ["a"] });
  const etag = cluster.origin.object("data", "t.parquet")?.etag ?? "";
  const spoilt = Uint8Array.from(file);
  spoilt[10] = (spoilt[10] ?? 0) ^ 1;
  cluster.origin.putObject("data", "t.parquet", spoilt, { etag });
  const unlike = await run("load", units, { columns: ["a"], verify: true });
  assert.deepEqual([...new Set(unlike.map((result) => result.verified))], [true]);
  const [first] = unlike;
  assert.ok(
    (first?.readBytes ?? 0) >= 2 * (first?.wantedBytes ?? 1),
    "what differed was fetched again, and compared again",
  );
  cluster.origin.putObject("data", "t.parquet", file, { etag });
  const [none] = await run("load", [unitOf("t.parquet")], { columns: ["z"] });
  assert.deepEqual([none?.outcome, none?.code], ["failed", "RL_BAD_REQUEST"]);
  put("no.parquet", "this is no Parquet file at all");
  const [text] = await run("load", [unitOf("no.parquet")], { columns: ["a"] });
  assert.deepEqual([text?.outcome, text?.code], ["failed", "RL_BAD_REQUEST"]);
});

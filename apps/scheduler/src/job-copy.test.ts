/** Copies and moves between mounts, by real workers over an S3 origin and a directory. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const MIB = 1024 * 1024;
const FLAGS = ["--page-size=64KiB", "--segment-size=1MiB", "--mem=64MiB", "--ssd=0"];
const directory = mkdtempSync(join(tmpdir(), "ringlight-copy-"));
let cluster: JobCluster;

before(async () => {
  cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: FLAGS });
  await cluster.mount("from", { readOnly: false });
  await cluster.mount("into", { readOnly: false });
  await cluster.mount("disk", { uri: `file://${directory}`, readOnly: false, options: {} });
  await cluster.mount("sealed");
});
after(async () => {
  await cluster?.close();
  rmSync(directory, { recursive: true, force: true });
});

function put(key: string, data: string | { readonly sizeBytes: number; readonly seed: number }): void {
  cluster.origin.putObject("from", key, data);
}

const count = (op: string) => cluster.origin.requests.filter((request) => request.op === op).length;
const listed = async (path: string) =>
  (await cluster.end((await cluster.submit({ paths: [path], metadataOnly: true })).id)).listed?.objects;

test("a copy within one store is made by the store, and what is there already is left alone", async () => {
  for (let index = 0; index < 30; index++) put(`a/${index}`, `object number ${index}`);
  const gets = count("GetObject");
  const spec = { kind: "copy", paths: ["/from/a"], target: "/into/b" };
  const job = await cluster.end((await cluster.submit(spec)).id);
  assert.deepEqual([job.state, job.loaded?.objects, job.cached?.objects], ["complete", 30, 0], job.reason);
  assert.equal(count("CopyObject"), 30);
  assert.equal(count("GetObject"), gets, "no byte of them passed a worker");
  const again = await cluster.end((await cluster.submit(spec)).id);
  assert.deepEqual([again.state, again.loaded?.objects, again.cached?.objects], ["complete", 0, 30], again.reason);
  assert.equal(count("CopyObject"), 30);
});

test("a copy to another kind of store carries the bytes, large ones in parts, and they arrive as they were", async () => {
  put("c/small", "to be kept on a disk");
  put("c/empty", "");
  const text = "0123456789abcdef".repeat((65 * MIB) / 16);
  put("c/large", text);
  const there = { kind: "copy", paths: ["/from/c/"], target: "/disk/d" };
  const job = await cluster.end((await cluster.submit(there)).id, 120_000);
  // Where a busy machine made a worker look lost, another one found the copy there.
  const sum = (job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0);
  assert.deepEqual([job.state, job.listed?.objects, sum], ["complete", 3, 65 * MIB + 20], job.reason);
  assert.equal(readFileSync(join(directory, "d/small"), "utf8"), "to be kept on a disk");
  assert.ok(readFileSync(join(directory, "d/large"), "utf8") === text);
  const back = { kind: "copy", paths: ["/disk/d/"], target: "/into/back" };
  const second = await cluster.end((await cluster.submit(back)).id, 120_000);
  assert.deepEqual([second.state, second.listed?.objects], ["complete", 3], second.reason);
  assert.ok(count("UploadPart") >= 3, "the large one went in parts");
});

test("a large copy that is interrupted goes on with the parts that are missing", async () => {
  // The parts of what the test before left on the disk; of the first three to come one does not end.
  const uploads = { parts: count("UploadPart"), begun: count("CreateMultipartUpload") };
  const bytes = readFileSync(join(directory, "d/large"));
  cluster.origin.stall({ op: "UploadPart" }, Number.POSITIVE_INFINITY, { times: 1 });
  const { id } = await cluster.submit({ kind: "copy", paths: ["/disk/d/large"], target: "/into/resumed" });
  const ended = () => cluster.origin.requests.filter(({ op, status }) => op === "UploadPart" && status === 200).length;
  const before = ended();
  await waitFor(() => ended() >= before + 2, { timeoutMs: 60_000, what: "the other two parts" });
  await cluster.control(id, "pause");
  await cluster.until(id, ({ state }) => state === "paused");
  assert.equal(cluster.origin.uploadCount, 1, "the upload is kept");
  cluster.origin.clearFaults();
  await cluster.control(id, "resume");
  const job = await cluster.end(id, 120_000);
  assert.deepEqual([job.state, job.loaded?.objects], ["complete", 1], job.reason);
  assert.equal(count("CreateMultipartUpload") - uploads.begun, 1);
  // Three, and once more the one that did not end; of the others one at most, whose answer the pause overtook.
  const parts = count("UploadPart") - uploads.parts;
  assert.ok(parts >= 4 && parts <= 5, `${parts} parts were sent`);
  assert.ok(cluster.origin.bytesOf("into", "resumed").equals(bytes));
  assert.equal(cluster.origin.uploadCount, 0);
});

test("a move removes what it has copied and compared, and keeps what it could not copy; a retry moves just that", async () => {
  for (let index = 0; index < 10; index++) put(`m/${index}`, `moves ${index}`);
  put("m/held", "is in the way");
  cluster.origin.putObject("into", "n/held", "another object");
  const { id } = await cluster.submit({ kind: "move", paths: ["/from/m"], target: "/into/n" });
  const job = await cluster.end(id);
  assert.deepEqual([job.state, job.loaded?.objects, job.failed?.objects], ["partial", 10, 1], job.reason);
  const failed = await cluster.failed(id);
  assert.deepEqual(
    failed.map(({ path, code }) => [path, code]),
    [["/from/m/held", "RL_CONFLICT"]],
  );
  assert.equal(await listed("/from/m"), 1);
  cluster.origin.deleteObject("into", "n/held");
  const again = await cluster.end((await cluster.retry(id)).id);
  assert.deepEqual([again.state, again.loaded?.objects, again.listed?.objects], ["complete", 1, 1], again.reason);
  assert.equal(await listed("/into/n"), 11);
  assert.equal(await listed("/from/m/"), 1, "a path that there is nothing of counts as one that failed");
});

test("an object that changes in the middle of its move is moved as what it is then", async () => {
  put("ch/one", { sizeBytes: 3 * MIB, seed: 1 });
  cluster.origin.changeDuring(
    { op: "GetObject", key: "ch/one" },
    500_000,
    { sizeBytes: 2 * MIB, seed: 2 },
    { cut: true },
  );
  const { id } = await cluster.submit({ kind: "move", paths: ["/from/ch/"], target: "/disk/ch/" });
  const job = await cluster.end(id);
  assert.deepEqual([job.state, job.loaded], ["complete", { objects: 1, bytes: 2 * MIB }], job.reason);
  assert.equal(readFileSync(join(directory, "ch/one")).length, 2 * MIB);
});

test("a target within the source, a read-only one and a missing one are refused", async () => {
  const refused = (target: string, code: string) =>
    assert.rejects(cluster.submit({ kind: "copy", paths: ["/from/a"], target }), { code });
  await refused("", "RL_BAD_REQUEST");
  await refused("/from/a/x", "RL_BAD_REQUEST");
  await refused("/nowhere/x", "RL_NO_SUCH_MOUNT");
  await refused("/sealed/x", "RL_READ_ONLY");
});

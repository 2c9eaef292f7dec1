/** The command line against a running cluster, and its words when something is wrong. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runProcess } from "@ringlight/testing";
import { type Cluster, ringlight, startCluster } from "./cluster.ts";

let cluster: Cluster;
let work: string;

before(async () => {
  work = mkdtempSync(join(tmpdir(), "ringlight-cli-"));
  mkdirSync(join(work, "files", "deep"), { recursive: true });
  writeFileSync(join(work, "files", "hello.txt"), "hello, ring\n");
  writeFileSync(join(work, "files", "deep", "big.bin"), Buffer.alloc(3_000_000, 7));
  cluster = await startCluster({
    portOffset: 1060,
    args: ["--mount", `/files=file://${join(work, "files")}`, "--no-console"],
  });
});

after(async () => {
  await cluster?.remove();
  rmSync(work, { recursive: true, force: true });
});

/** Runs a command that must fail, and returns its exit code and words. */
async function failing(...args: string[]): Promise<{ code: number | string; output: string }> {
  const process = await ringlight([...args, "--data", cluster.dataDir]);
  return { code: await process.waitForExit(30_000), output: process.output };
}

test("status names the members, the leader and the mounts", async () => {
  const status = JSON.parse(await cluster.run("status", "--json")) as Record<string, unknown>;
  const text = JSON.stringify(status);
  for (const { id } of cluster.info().workers) assert.match(text, new RegExp(id));
  assert.match(text, /files/);
});

test("ls, stat, cat and cp show and copy what the store holds", async () => {
  assert.match(await cluster.run("ls", "/files"), /hello\.txt/);
  assert.match(await cluster.run("ls", "-r", "/files"), /deep\/big\.bin/);
  assert.match(await cluster.run("stat", "/files/hello.txt"), /12/);
  assert.equal(await cluster.run("cat", "/files/hello.txt"), "hello, ring\n");
  assert.equal(await cluster.run("cat", "--offset", "7", "--length", "4", "/files/hello.txt"), "ring");
  const target = join(work, "copy.bin");
  await cluster.run("cp", "/files/deep/big.bin", target);
  const sum = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
  assert.equal(sum(target), sum(join(work, "files", "deep", "big.bin")));
  await cluster.run("cp", "-r", "/files", join(work, "tree"));
  assert.deepEqual(readdirSync(join(work, "tree"), { recursive: true }).sort(), ["deep", "deep/big.bin", "hello.txt"]);
});

test("explain says where a path lives and how much of it is cached", async () => {
  await cluster.run("cat", "/files/hello.txt");
  const text = await cluster.run("explain", "/files/hello.txt");
  assert.match(text, /files/);
  assert.match(text, /epoch/i);
  assert.ok(
    cluster.info().workers.some(({ id }) => text.includes(id)),
    text,
  );
});

test("a mount is checked before it is accepted, and can be removed again", async () => {
  const bad = await failing("mount", "add", "/nothing", `file://${join(work, "no-such-directory")}`);
  assert.notEqual(bad.code, 0);
  assert.match(bad.output, /no-such-directory/);
  await cluster.run("mount", "add", "/again", `file://${join(work, "files", "deep")}`);
  assert.match(await cluster.run("mount", "ls"), /again/);
  assert.match(await cluster.run("ls", "/again"), /big\.bin/);
  await cluster.run("mount", "rm", "/again");
  assert.doesNotMatch(await cluster.run("mount", "ls"), /again/);
});

test("errors name what was wrong, in one line, with an exit code", async () => {
  const missing = await failing("cat", "/files/absent");
  assert.equal(missing.code, 4);
  assert.match(missing.output, /absent/);
  const mount = await failing("ls", "/nowhere");
  assert.notEqual(mount.code, 0);
  assert.match(mount.output, /nowhere/);
  const usage = await failing("stat");
  assert.equal(usage.code, 2);
  const path = await failing("stat", "no-slash");
  assert.notEqual(path.code, 0);
  assert.match(path.output, /no-slash/);
});

test("a second cluster on the same ports or the same data directory is refused, and leaves nothing behind", async () => {
  const other = mkdtempSync(join(tmpdir(), "ringlight-second-"));
  try {
    const ports = await ringlight(["up", "--data", other, "--port-offset", String(cluster.portOffset), "--no-console"]);
    assert.notEqual(await ports.waitForExit(30_000), 0);
    assert.match(ports.output, /in use/);
    const data = await ringlight([
      "up",
      "--data",
      cluster.dataDir,
      "--port-offset",
      String(cluster.portOffset + 10),
      "--no-console",
    ]);
    assert.notEqual(await data.waitForExit(30_000), 0);
    assert.match(data.output, new RegExp(cluster.dataDir));
    assert.equal(await cluster.run("cat", "/files/hello.txt"), "hello, ring\n");
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

test("a mount whose store does not answer stops the start with one clear line", async () => {
  const other = mkdtempSync(join(tmpdir(), "ringlight-nostore-"));
  try {
    const up = await ringlight([
      "up",
      "--data",
      other,
      "--port-offset",
      String(cluster.portOffset + 10),
      "--no-console",
      "--mount",
      "/gone=s3://bucket,endpoint=http://127.0.0.1:9,credentials=anonymous",
    ]);
    assert.notEqual(await up.waitForExit(60_000), 0);
    assert.match(up.output, /127\.0\.0\.1:9/);
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

test("the completion scripts are accepted by their shells", async () => {
  for (const shell of ["bash"]) {
    const script = await runProcess(process.execPath, ["apps/cli/src/main.ts", "completion", shell]);
    await runProcess(shell, ["-n"], { input: script });
  }
});

/** Command-line clients that are not ours, as far as the machine has them: each reads odd keys, and every byte is compared. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { ODD_KEYS } from "./odd-keys.ts";
import { startTestServer, TEST_CREDENTIALS, TEST_REGION, type TestServer } from "./test-server.ts";

const big = Buffer.from(Buffer.alloc(20_000_003).map((_, index) => (index * 31) & 0xff));
/** Keys that can be names of files, and so be copied by trees. */
const fileKeys = ODD_KEYS.filter((key) => !/\/\/|\/$|^\/|(^|\/)\.\.?\//.test(key) && key !== "dir");
/** The others are read one by one. */
const otherKeys = ODD_KEYS.filter((key) => !fileKeys.includes(key));

let server: TestServer;
let home: string;
let env: NodeJS.ProcessEnv;

interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function run(command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env, encoding: "buffer" as const, timeout: 60_000, maxBuffer: 64 << 20 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, stdout, stderr: stderr.toString() });
    });
  });
}

async function succeed(command: string, args: readonly string[]): Promise<Buffer> {
  const ran = await run(command, args);
  assert.equal(ran.code, 0, `${command} ${args.join(" ")}: ${ran.stderr}`);
  return ran.stdout;
}

async function hasTree(directory: string, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    assert.equal(await readFile(join(directory, key), "utf8"), `bytes of ${key}`, key);
  }
  assert.ok(big.equals(await readFile(join(directory, "big"))), "the 20 MB object");
}

before(async () => {
  server = await startTestServer();
  for (const bucket of ["files", "others"]) server.backend.addBucket(bucket);
  for (const key of fileKeys) server.backend.put("files", key, `bytes of ${key}`);
  for (const key of otherKeys) server.backend.put("others", key, `bytes of ${key}`);
  server.backend.put("files", "big", big);
  server.backend.writes.readOnly.add("others");
  home = await mkdtemp(join(tmpdir(), "rl-s3-cli-"));
  // The clients see the test server's key and nothing of the machine's own settings.
  env = {
    PATH: process.env.PATH,
    HOME: home,
    LANG: "C.UTF-8",
    AWS_ACCESS_KEY_ID: TEST_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey,
    AWS_DEFAULT_REGION: TEST_REGION,
    AWS_EC2_METADATA_DISABLED: "true",
  };
});
after(async () => {
  await server.close();
  await rm(home, { recursive: true, force: true });
});

async function isHere(t: TestContext, command: string): Promise<boolean> {
  const here = (await run(command, ["--version"])).code === 0;
  if (!here) t.diagnostic(`${command} is not installed, and was not tried`);
  return here;
}

async function checkAws(command: string): Promise<void> {
  const aws = (...args: string[]) =>
    succeed(command, ["--endpoint-url", `http://127.0.0.1:${server.port}`, "s3", ...args]);
  assert.match((await aws("ls")).toString(), / files\n.* others\n/);
  assert.match((await aws("ls", "s3://files/")).toString(), /PRE long\/.*20000003 big/s);
  const tree = await mkdtemp(join(home, "aws-"));
  await aws("sync", "s3://files", tree, "--only-show-errors");
  await hasTree(tree, fileKeys);
  for (const key of otherKeys) {
    assert.equal((await aws("cp", `s3://others/${key}`, "-")).toString(), `bytes of ${key}`);
  }
  await aws("mb", "s3://written");
  await aws("sync", tree, "s3://written", "--only-show-errors", "--metadata", "a=1");
  assert.deepEqual(server.backend.keys("written"), server.backend.keys("files"));
  // Larger than 8 MiB: in parts.
  assert.ok(big.equals(server.backend.get("written", "big").bytes));
  assert.deepEqual(server.backend.get("written", "big").meta.userMetadata, { a: "1" });
  await aws("cp", "s3://written/big", "s3://written/copy of big", "--only-show-errors");
  assert.ok(big.equals(server.backend.get("written", "copy of big").bytes));
  await aws("mv", "s3://written/plain", "s3://written/moved", "--only-show-errors");
  assert.equal(server.backend.find("written", "plain"), undefined);
  await aws("rb", "s3://written", "--force");
  assert.equal(server.backend.bucketExists("written"), false);
  const put = await run(command, [
    "--endpoint-url",
    `http://127.0.0.1:${server.port}`,
    "s3",
    "cp",
    join(tree, "big"),
    "s3://others/new",
  ]);
  assert.equal(put.code, 1);
  assert.match(put.stderr, /AccessDenied.*read-only/);
}

test("the AWS CLI lists, syncs, copies, moves and removes odd keys, uploads in parts, and is told where it may not write", async (t) => {
  // Debian's, and a newer one where the path has it.
  for (const command of ["/usr/bin/aws", "aws"]) if (await isHere(t, command)) await checkAws(command);
});

test("s3cmd lists, gets, puts, copies and removes odd keys, in parts too", async (t) => {
  if (!(await isHere(t, "s3cmd"))) return;
  const host = `127.0.0.1:${server.port}`;
  const { accessKeyId, secretAccessKey } = TEST_CREDENTIALS;
  const s3cmd = (...args: string[]) =>
    succeed("s3cmd", [
      "--no-ssl",
      `--host=${host}`,
      `--host-bucket=${host}`,
      `--access_key=${accessKeyId}`,
      `--secret_key=${secretAccessKey}`,
      `--region=${TEST_REGION}`,
      "--no-progress",
      ...args,
    ]);
  assert.match((await s3cmd("ls")).toString(), /s3:\/\/files\n.*s3:\/\/others\n/);
  assert.match(
    (await s3cmd("ls", "s3://files")).toString(),
    /DIR {2}s3:\/\/files\/long\/\n.*20000003 {2}s3:\/\/files\/big/s,
  );
  assert.match((await s3cmd("info", "s3://files")).toString(), /Policy: +none/);
  // s3cmd takes no key with a line end, and writes no file for a name that ends with a slash.
  const out = join(home, "s3cmd-out");
  for (const key of otherKeys.filter((candidate) => !candidate.endsWith("/"))) {
    await s3cmd("get", "--force", `s3://others/${key}`, out);
    assert.equal(await readFile(out, "utf8"), `bytes of ${key}`);
  }
  const tree = await mkdtemp(join(home, "s3cmd-"));
  await s3cmd("get", "--recursive", "--exclude=newline*", "s3://files", tree);
  await hasTree(
    tree,
    fileKeys.filter((key) => !key.includes("\n")),
  );
  await s3cmd("mb", "s3://put");
  await s3cmd("put", "--recursive", "--multipart-chunk-size-mb=5", `${tree}/`, "s3://put/");
  // It writes out control characters of names as text: a tab becomes "^I".
  const putKeys = server.backend.keys("files").filter((key) => !/[\n\t]/.test(key));
  assert.deepEqual(
    server.backend.keys("put").filter((key) => !key.includes("^I")),
    putKeys,
  );
  for (const key of putKeys) {
    assert.ok(Buffer.from(server.backend.get("files", key).bytes).equals(server.backend.get("put", key).bytes), key);
  }
  await s3cmd("cp", "s3://put/plain", "s3://put/copy of plain");
  assert.equal(server.backend.get("put", "copy of plain").bytes.toString(), "bytes of plain");
  await s3cmd("del", "--recursive", "--force", "s3://put");
  await s3cmd("rb", "s3://put");
  assert.equal(server.backend.bucketExists("put"), false);
});

test("rclone lists, copies both ways, checks, and reads ranges of odd keys", async (t) => {
  if (!(await isHere(t, "rclone"))) return;
  const config = join(home, "rclone.conf");
  const lines = {
    type: "s3",
    provider: "Other",
    endpoint: `http://127.0.0.1:${server.port}`,
    access_key_id: TEST_CREDENTIALS.accessKeyId,
    secret_access_key: TEST_CREDENTIALS.secretAccessKey,
    region: TEST_REGION,
    force_path_style: "true",
  };
  const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(config, `[rl]\n${text.join("")}`);
  const rclone = (...args: string[]) => succeed("rclone", ["--config", config, "--retries", "1", ...args]);
  assert.match((await rclone("lsd", "rl:")).toString(), / files\n.* others\n/);
  const listed = (await rclone("lsl", "rl:files")).toString();
  assert.equal(listed.trimEnd().split("\n").length, fileKeys.length + 1);
  assert.match(listed, /20000003 2026-01-02 03:04:05\.000000000 big/);
  const tree = await mkdtemp(join(home, "rclone-"));
  await rclone("copy", "rl:files", tree);
  await hasTree(tree, fileKeys);
  assert.equal((await rclone("cat", "--offset", "9", "--count", "4", "rl:files/plus+sign")).toString(), "plus");
  await rclone("mkdir", "rl:uploaded");
  await rclone("copy", tree, "rl:uploaded", "--s3-upload-cutoff", "6M", "--s3-chunk-size", "5M");
  await rclone("check", tree, "rl:uploaded", "--download");
  assert.deepEqual(server.backend.keys("uploaded"), server.backend.keys("files"));
  await rclone("moveto", "rl:uploaded/plain", "rl:uploaded/moved");
  assert.equal(server.backend.get("uploaded", "moved").bytes.toString(), "bytes of plain");
  await rclone("purge", "rl:uploaded");
  assert.equal(server.backend.bucketExists("uploaded"), false);
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, open, rename, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { compareKeys, isRinglightError, type Ufs, type UfsObservation } from "@ringlight/core";
import { randomBytes } from "@ringlight/testing";
import { openUfs } from "./index.ts";
import { collect, ufsContract } from "./ufs-contract.ts";

const mountOf = (directory: string) =>
  ({ uri: `file://${directory}`, options: {}, credentials: { kind: "default" } }) as const;
const code = (expected: string, text?: RegExp) => (error: unknown) => {
  assert.ok(isRinglightError(error), String(error));
  assert.equal(error.code, expected, error.message);
  if (text) assert.match(error.message, text);
  return true;
};

ufsContract("file://", async () => {
  const directory = await mkdtemp(join(tmpdir(), "ufs-"));
  const observations: UfsObservation[] = [];
  const observe = (observation: UfsObservation) => observations.push(observation);
  const ufs = await openUfs(mountOf(directory), { maxConnections: 4, observe });
  return {
    ufs,
    observations,
    put: async (key, bytes) => {
      await mkdir(dirname(join(directory, key)), { recursive: true });
      await writeFile(join(directory, key), bytes);
    },
    delete: (key) => rm(join(directory, key)),
    close: async () => {
      await ufs.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe("a file:// mount", () => {
  let top: string;
  let root: string;
  let ufs: Ufs;
  const data = randomBytes(9, 5_000_000);
  const WHOLE = { start: 0, end: data.length - 1 };

  before(async () => {
    top = await mkdtemp(join(tmpdir(), "ufs-"));
    root = join(top, "root");
    await mkdir(join(root, "sub/deep"), { recursive: true });
    await mkdir(join(top, "root-sibling"));
    await writeFile(join(top, "secret"), "outside");
    await writeFile(join(top, "root-sibling/secret"), "outside");
    await writeFile(join(root, "file.parquet"), data);
    await writeFile(join(root, "sub/deep/x"), "x");
    ufs = await openUfs(mountOf(root));
  });
  after(async () => {
    await ufs.close();
    await rm(top, { recursive: true });
  });

  const list = async (prefix = "", delimiter = "", from: Ufs = ufs) => {
    const page = await from.list({ prefix, delimiter, startAfter: "", maxKeys: 1000 });
    return [...page.objects.map((row) => row.key), ...page.commonPrefixes];
  };

  it("follows links that stay inside, and knows none that lead out", async () => {
    const links: Record<string, string> = {
      "out-file": "../secret",
      "out-absolute": join(top, "secret"),
      "out-directory": "../root-sibling",
      "out-twice": "out-directory/secret",
      dangling: "nothing",
      circular: "circular",
      "in-file": "sub/deep/x",
      "in-directory": "sub/deep",
      "sub/up": "..",
    };
    for (const [name, target] of Object.entries(links)) await symlink(target, join(root, name));
    for (const key of ["out-file", "out-absolute", "out-directory/secret", "out-twice", "dangling", "circular"]) {
      await assert.rejects(ufs.head(key), code("RL_NOT_FOUND"), key);
      await assert.rejects(ufs.read(key, "v", { start: 0, end: 0 }), code("RL_NOT_FOUND"), key);
    }
    assert.equal((await ufs.head("in-file")).sizeBytes, 1);
    assert.equal((await ufs.head("in-directory/x")).sizeBytes, 1);
    assert.deepEqual(await list(), ["file.parquet", "in-directory/x", "in-file", "sub/deep/x"]);
    assert.deepEqual(await list("out-directory/"), []);
    assert.deepEqual(await list("", "/"), ["file.parquet", "in-file", "in-directory/", "sub/"]);
    for (const name of Object.keys(links)) await rm(join(root, name));
  });

  it("refuses zero bytes, and knows no key that names a file in another way", async () => {
    await assert.rejects(ufs.head("file\0.parquet"), code("RL_BAD_REQUEST"));
    for (const key of ["sub/../file.parquet", "../secret", "/file.parquet", "sub//deep/x", "file.parquet/", "\ud800"]) {
      await assert.rejects(ufs.head(key), code("RL_NOT_FOUND"), key);
    }
    for (const prefix of ["../", "sub/../", "/", "sub//"]) assert.deepEqual(await list(prefix), [], prefix);
    await assert.rejects(ufs.head("x".repeat(300)), code("RL_NOT_FOUND"));
  });

  it("ignores what is no regular file, and never waits for it", async () => {
    await promisify(execFile)("mkfifo", [join(root, "pipe")]);
    await assert.rejects(ufs.head("pipe"), code("RL_NOT_FOUND"));
    assert.deepEqual(await list(), ["file.parquet", "sub/deep/x"]);
    await rm(join(root, "pipe"));
  });

  it("tells the type by the extension, and an ETag that no client takes for an MD5", async () => {
    const meta = await ufs.head("file.parquet");
    assert.equal(meta.contentType, "application/vnd.apache.parquet");
    assert.match(meta.etag, /^"[0-9]+-5000000-[0-9]+"$/);
    assert.equal((await ufs.head("sub/deep/x")).contentType, "application/octet-stream");
    assert.equal(
      meta.version,
      `${(await stat(join(root, "file.parquet"), { bigint: true })).mtimeNs}-${data.length}-${(await stat(join(root, "file.parquet"))).ino}`,
    );
  });

  it("notices a file that is overwritten, truncated or appended to in mid-read, and gives out old bytes only", async () => {
    const path = join(root, "changing");
    const changes = {
      overwritten: async () => {
        const handle = await open(path, "r+");
        await handle.write(Buffer.alloc(data.length, 1), 0, data.length, 0);
        await handle.close();
      },
      truncated: () => truncate(path, 100),
      appended: () => writeFile(path, "more", { flag: "a" }),
    };
    for (const [name, change] of Object.entries(changes)) {
      await writeFile(path, data);
      const { version } = await ufs.head("changing");
      const got: Uint8Array[] = [];
      const { stream } = await ufs.read("changing", version, WHOLE);
      await assert.rejects(async () => {
        for await (const chunk of stream) {
          if (got.push(chunk) === 1) await change();
        }
      }, code("RL_VERSION_CHANGED"));
      assert.equal(got.length, 1, name);
      assert.ok(Buffer.concat(got).equals(data.subarray(0, got[0]?.length)), name);
    }
    await rm(path);
  });

  it("reads a file to its end that is replaced or deleted meanwhile: the opened version is still whole", async () => {
    const path = join(root, "replaced");
    for (const change of [() => rm(path), () => rename(join(root, "new"), path)]) {
      await writeFile(path, data);
      await writeFile(join(root, "new"), "other bytes");
      const { version } = await ufs.head("replaced");
      const { stream } = await ufs.read("replaced", version, WHOLE);
      await change();
      assert.ok((await collect(stream)).equals(data));
      await assert.rejects(ufs.read("replaced", version, WHOLE), (error) => isRinglightError(error));
    }
    await rm(path, { force: true });
    await rm(join(root, "new"), { force: true });
  });

  it("says which file or directory it may not read", async () => {
    await mkdir(join(root, "closed"));
    await writeFile(join(root, "closed/inner"), "x");
    await writeFile(join(root, "mine"), "x");
    await chmod(join(root, "closed"), 0o000);
    await chmod(join(root, "mine"), 0o000);
    await chmod(top, 0o755);
    const asRoot = process.geteuid?.() === 0;
    // Root may read everything, so the test does without being root for a moment.
    if (asRoot) process.seteuid?.(65534);
    try {
      await assert.rejects(list("closed/"), code("RL_UFS_DENIED", /closed.*access/));
      await assert.rejects(list(), code("RL_UFS_DENIED", /closed/));
      await assert.rejects(ufs.head("mine"), code("RL_UFS_DENIED", /mine/));
      await assert.rejects(ufs.head("closed/inner"), code("RL_UFS_DENIED"));
      const shut = await openUfs(mountOf(join(root, "closed")));
      await assert.rejects(shut.check(), code("RL_UFS_DENIED", /closed.*access/));
      await shut.close();
    } finally {
      if (asRoot) process.seteuid?.(0);
      await chmod(join(root, "closed"), 0o700);
      await rm(join(root, "closed"), { recursive: true });
      await rm(join(root, "mine"));
    }
  });

  it("says that its directory is not there, and takes it for no empty directory", async () => {
    const gone = await openUfs(mountOf(join(top, "gone")));
    const missing = code("RL_UFS_UNAVAILABLE", /gone does not exist; make it, mount/);
    await assert.rejects(gone.check(), missing);
    await assert.rejects(gone.head("x"), missing);
    await assert.rejects(list("", "/", gone), missing);
    await gone.close();
    const file = await openUfs(mountOf(join(top, "secret")));
    await assert.rejects(file.check(), code("RL_UFS_ERROR", /not a directory/));
    await file.close();
  });

  it("pages through a large directory in order, reading it once, and sees every change of it", async () => {
    const directory = join(root, "large");
    await mkdir(directory);
    const names = Array.from({ length: 3000 }, (_, index) => `n${(index * 7919) % 3000}`);
    for (const name of names) await writeFile(join(directory, name), "");
    const quiet = new Date(Date.now() - 60_000);
    await utimes(directory, quiet, quiet);
    const seen: string[] = [];
    for (let startAfter = "", more = true; more; ) {
      const page = await ufs.list({ prefix: "large/", delimiter: "/", startAfter, maxKeys: 250 });
      seen.push(...page.objects.map((row) => row.key));
      startAfter = page.nextStartAfter;
      more = page.truncated;
      if (seen.length === 250) {
        // A change that leaves the directory's time is not seen: the sorted names are those that were kept.
        await writeFile(join(directory, "unseen"), "");
        await utimes(directory, quiet, quiet);
      }
    }
    assert.deepEqual(seen, names.map((name) => `large/${name}`).sort(compareKeys));
    await writeFile(join(directory, "late"), "");
    assert.deepEqual(await list("large/late"), ["large/late"]);
    await rm(join(directory, "late"));
    assert.deepEqual(await list("large/late"), []);
    assert.deepEqual(await list("large/unseen"), ["large/unseen"]);
    await rm(directory, { recursive: true });
  });

  it("gives descriptors back, whoever leaves them", async () => {
    const few = await openUfs(mountOf(root), { maxConnections: 1, timeoutMs: 2000 });
    const { version } = await few.head("file.parquet");
    for await (const _chunk of (await few.read("file.parquet", version, WHOLE)).stream) break;
    const leaving = new AbortController();
    await few.read("file.parquet", version, WHOLE, { signal: leaving.signal });
    leaving.abort();
    await assert.rejects(few.read("file.parquet", "other", WHOLE), code("RL_VERSION_CHANGED"));
    await assert.rejects(few.read("file.parquet", version, { start: 0, end: data.length }), code("RL_BAD_RANGE"));
    assert.ok((await collect((await few.read("file.parquet", version, WHOLE)).stream)).equals(data));
    await few.close();
  });
});

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { isRinglightError, type ObjectMeta, type Ufs, type UfsWrites } from "@ringlight/core";
import { openUfs } from "./index.ts";
import { bodyOf, ufsWriteContract } from "./ufs-write-contract.ts";

const MIN_PART_BYTES = 5 * 1024 * 1024;
const mounted = (directory: string) =>
  openUfs({ uri: pathToFileURL(directory).href, options: {}, credentials: { kind: "anonymous" } });

ufsWriteContract("file://", async () => {
  const directory = await mkdtemp(join(tmpdir(), "ringlight-file-write-"));
  const ufs = await mounted(directory);
  return {
    ufs,
    minPartBytes: MIN_PART_BYTES,
    keepsTags: true,
    leavesOutParts: true,
    conditionalDeletes: true,
    close: async () => {
      await ufs.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe("writes to file://", () => {
  let parent: string;
  let directory: string;
  let ufs: Ufs;
  let other: Ufs;
  let writes: UfsWrites;
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), "ringlight-file-write-"));
    directory = join(parent, "root");
    await mkdir(directory);
    await mkdir(join(parent, "outside"));
    ufs = await mounted(directory);
    other = await mounted(directory);
    assert.ok(ufs.writes);
    writes = ufs.writes;
  });
  after(async () => {
    await ufs?.close();
    await other?.close();
    await rm(parent, { recursive: true });
  });
  const code = (expected: string) => (error: unknown) => isRinglightError(error) && error.code === expected;

  it("writes nothing outside of the directory, nor where writes keep what is theirs", async () => {
    for (const key of [
      "../x",
      "a/../../x",
      "/x",
      "a//b",
      ".",
      "..",
      "",
      "a/./b",
      ".ringlight-writes",
      ".ringlight-writes/x",
    ]) {
      await assert.rejects(writes.put(key, { body: bodyOf("x") }), code("RL_BAD_REQUEST"), key);
    }
    await assert.rejects(writes.put("a\0b", { body: bodyOf("x") }), code("RL_BAD_REQUEST"));
    await symlink(join(parent, "outside"), join(directory, "link"));
    await assert.rejects(writes.put("link/x", { body: bodyOf("x") }), code("RL_UFS_DENIED"));
    await writeFile(join(parent, "outside", "y"), "kept");
    await writes.delete("link/y").catch(() => undefined);
    await writes.delete(".ringlight-writes/meta");
    assert.deepEqual(await readdir(parent), ["outside", "root"]);
    assert.deepEqual(await readdir(join(parent, "outside")), ["y"]);
    await rm(join(directory, "link"));
  });

  it("hides its own directory from readers and listings, and leaves nothing behind", async () => {
    await writes.put("dir/k", { body: bodyOf("v") });
    for (const delimiter of ["", "/"]) {
      const page = await ufs.list({ prefix: "", delimiter, startAfter: "", maxKeys: 100 });
      const names = [...page.objects.map((row) => row.key), ...page.commonPrefixes];
      assert.deepEqual(names, delimiter === "" ? ["dir/k"] : ["dir/"]);
    }
    const hidden = await ufs.list({ prefix: ".ringlight-writes/", delimiter: "", startAfter: "", maxKeys: 100 });
    assert.deepEqual(hidden.objects, []);
    await assert.rejects(ufs.head(".ringlight-writes/tmp"), code("RL_NOT_FOUND"));
    await writes.put("dir/k", { body: bodyOf("again") });
    await writes.delete("dir/k");
    const left = await readdir(join(directory, ".ringlight-writes"), { recursive: true, withFileTypes: true });
    assert.deepEqual(
      left.filter((entry) => entry.isFile()).map((entry) => entry.name),
      [],
    );
    assert.deepEqual(await readdir(directory), [".ringlight-writes"]);
  });

  it("believes nothing that it kept of a file which others changed", async () => {
    await writes.put("theirs", { body: bodyOf("ours"), settings: { userMetadata: { a: "1" } } });
    assert.deepEqual((await other.head("theirs")).userMetadata, { a: "1" });
    const learned = Promise.withResolvers<ObjectMeta>();
    await other.readCurrent?.("theirs", { start: 0, end: 3 }, async (meta) => {
      learned.resolve(meta);
      const space = Buffer.alloc(4);
      let at = 0;
      const advance = (bytes: number) => {
        at += bytes;
      };
      return { space: () => space.subarray(at), advance };
    });
    assert.deepEqual((await learned.promise).userMetadata, { a: "1" });
    await writeFile(join(directory, "theirs"), "them");
    await utimes(join(directory, "theirs"), 1, 1);
    const meta = await ufs.head("theirs");
    assert.equal(meta.userMetadata, undefined);
    assert.notEqual(meta.etag, '"d41d8cd98f00b204e9800998ecf8427e"');
    await writes.delete("theirs");
  });

  it("lets one of the creators win that come through different workers", async () => {
    for (let round = 0; round < 10; round++) {
      const tries = [ufs, other, ufs, other].map((mount, index) =>
        mount.writes?.put(`won-${round}`, { body: bodyOf(`writer ${index}`), conditions: { ifNoneMatch: "*" } }).then(
          () => 1,
          () => 0,
        ),
      );
      assert.equal(
        (await Promise.all(tries)).reduce((sum: number, won) => sum + (won ?? 0), 0),
        1,
      );
    }
    await writes.deleteMany(Array.from({ length: 10 }, (_, round) => ({ key: `won-${round}` })));
  });

  it("says that a name is a file or a directory, and makes directories for keys that end with a slash", async () => {
    await writes.put("name", { body: bodyOf("file") });
    await assert.rejects(writes.put("name/below", { body: bodyOf("x") }), code("RL_CONFLICT"));
    await writes.put("made/", { body: bodyOf("") });
    await assert.rejects(writes.put("made", { body: bodyOf("x") }), code("RL_CONFLICT"));
    await assert.rejects(writes.put("made/", { body: bodyOf("x") }), code("RL_BAD_REQUEST"));
    assert.equal(await readFile(join(directory, "name"), "utf8"), "file");
    await writes.delete("made/");
    await writes.delete("name");
    const encrypted = { headers: { "x-amz-server-side-encryption": "AES256" } };
    await assert.rejects(writes.put("k", { body: bodyOf("x"), settings: encrypted }), code("RL_NOT_IMPLEMENTED"));
    await assert.rejects(writes.put("x".repeat(300), { body: bodyOf("x") }), code("RL_BAD_REQUEST"));
  });

  it("keeps the checksums of parts, and tells once more what a completion came to", async () => {
    const { createHash } = await import("node:crypto");
    const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("base64");
    const bodies = [Buffer.alloc(5 * 1024 * 1024, "a"), Buffer.from("end")];
    const { uploadId } = await writes.createUpload("parts", { checksumAlgorithm: "SHA256" });
    const listed = await writes.listUploads({
      prefix: "",
      delimiter: "",
      keyMarker: "",
      uploadIdMarker: "",
      maxUploads: 9,
    });
    assert.equal(listed.uploads[0]?.checksumAlgorithm, "SHA256");
    const crc = { ...bodyOf("end"), checksum: { algorithm: "CRC32" as const, value: () => "AAAAAA==" } };
    await assert.rejects(writes.uploadPart("parts", uploadId, 2, crc), /expected checksum Type: sha256, actual.*crc32/);
    const parts = [];
    for (const [index, body] of bodies.entries()) {
      const { etag } = await writes.uploadPart("parts", uploadId, index + 1, bodyOf(body));
      parts.push({ partNumber: index + 1, etag, checksums: { SHA256: sha(body) } });
    }
    const bare = parts.map(({ partNumber, etag }) => ({ partNumber, etag }));
    await assert.rejects(writes.completeUpload("parts", uploadId, { parts: bare }), /was missing for part 1/);
    const done = await writes.completeUpload("parts", uploadId, { parts });
    assert.deepEqual(await writes.completeUpload("parts", uploadId, { parts }), done);
    const fewer = { parts: parts.slice(0, 1) };
    await assert.rejects(writes.completeUpload("parts", uploadId, fewer), code("RL_NO_SUCH_UPLOAD"));
    assert.deepEqual((await writes.attributes("parts")).parts, [
      { partNumber: 1, sizeBytes: bodies[0]?.length, checksums: parts[0]?.checksums },
      { partNumber: 2, sizeBytes: 3, checksums: parts[1]?.checksums },
    ]);
    const second = await writes.headPart("parts", 2);
    assert.deepEqual(second.checksums, { type: "COMPOSITE", values: parts[1]?.checksums });
    const copied = await writes.copy("copied", { sourceKey: "parts", checksumAlgorithm: "SHA256" });
    assert.deepEqual(copied.checksums, { type: "FULL_OBJECT", values: { SHA256: sha(Buffer.concat(bodies)) } });
    assert.equal((await writes.attributes("copied")).parts, undefined);
    const open = { sourceKey: "parts", headers: { "x-amz-acl": "public-read" } };
    await assert.rejects(writes.copy("open", open), code("RL_NOT_IMPLEMENTED"));
    const bareUpload = await writes.createUpload("bare", {});
    const { etag } = await writes.uploadPart("bare", bareUpload.uploadId, 1, bodyOf("x"));
    await writes.completeUpload("bare", bareUpload.uploadId, { parts: [{ partNumber: 1, etag }] });
    assert.deepEqual((await writes.attributes("bare")).parts, [{ partNumber: 1, sizeBytes: 1 }]);
    await writes.put("parts", { body: bodyOf("other") });
    await assert.rejects(writes.completeUpload("parts", uploadId, { parts }), code("RL_NO_SUCH_UPLOAD"));
    await writes.deleteMany([{ key: "parts" }, { key: "copied" }, { key: "bare" }]);
  });

  it("removes what a writer that died left behind a day ago", async () => {
    const temporary = join(directory, ".ringlight-writes", "tmp");
    await mkdir(temporary, { recursive: true });
    for (const name of ["left", "young"]) await writeFile(join(temporary, name), "x");
    await utimes(join(temporary, "left"), 1, 1);
    const later = await mounted(directory);
    await later.writes?.put("swept", { body: bodyOf("x") });
    await later.close();
    assert.deepEqual(await readdir(temporary), ["young"]);
    await rm(join(temporary, "young"));
    await writes.delete("swept");
  });

  it("goes on after a writer that died with the lock, and finds the place of a part", async () => {
    const locks = join(directory, ".ringlight-writes", "locks");
    const { createHash } = await import("node:crypto");
    const lock = join(locks, createHash("sha256").update("locked").digest("hex"));
    await writeFile(lock, "");
    await utimes(lock, 1, 1);
    await writes.put("locked", { body: bodyOf("free") });
    assert.deepEqual((await writes.headPart("locked", 1)).range, { start: 0, end: 3 });
    await assert.rejects(writes.headPart("locked", 2), code("RL_BAD_RANGE"));
    await assert.rejects(writes.deleteBucket(), code("RL_NOT_EMPTY"));
    await writes.delete("locked");
    await assert.rejects(writes.createBucket(), code("RL_CONFLICT"));
    for (const key of ["empty/", "deep/er/still/"]) await writes.put(key, { body: bodyOf("") });
    await writes.put("deep/er/file", { body: bodyOf("x") });
    await assert.rejects(writes.deleteBucket(), code("RL_NOT_EMPTY"));
    await writes.delete("deep/er/file");
    await writes.deleteBucket();
    await writes.createBucket();
    assert.deepEqual(await readdir(directory), []);
  });

  it("loses no write to the removal of the directory: the one is done, or the other says that it is not empty", async () => {
    for (let round = 0; round < 40; round++) {
      const removing = writes.deleteBucket();
      const writing = Array.from({ length: 4 }, (_, index) =>
        writes.put(`dir/${index}`, { body: bodyOf("x"), settings: { contentType: "text/plain" } }),
      );
      const [removed, ...written] = await Promise.allSettled([removing, ...writing]);
      for (const one of written) assert.equal(one.status, "fulfilled", "reason" in one ? String(one.reason) : "");
      if (removed?.status === "rejected") assert.ok(isRinglightError(removed.reason, "RL_NOT_EMPTY"), removed.reason);
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory);
    }
  });
});

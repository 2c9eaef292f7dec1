/** What every store that takes writes does, whatever it is. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { isRinglightError, type ObjectSettings, type Ufs, type UfsWriteBody, type UfsWrites } from "@ringlight/core";
import { randomBytes } from "@ringlight/testing";
import { collect } from "./ufs-contract.ts";

/** A store to try, empty. */
export interface WriteFixture {
  readonly ufs: Ufs;
  /** Least size of a part that is not the last, bytes. */
  readonly minPartBytes: number;
  /** Keeps tags and checksums. */
  readonly keepsTags: boolean;
  /** Conditions of deletes are honoured. */
  readonly conditionalDeletes: boolean;
  /** An upload may be completed without some of its parts. */
  readonly leavesOutParts: boolean;
  close(): Promise<void>;
}

const md5 = (data: Uint8Array | string) => createHash("md5").update(data).digest("hex");

/** A body in pieces. */
export function bodyOf(data: Uint8Array | string, pieceBytes = 100_000): UfsWriteBody {
  const bytes = Buffer.from(data);
  async function* stream() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  return { sizeBytes: bytes.length, stream: stream() };
}

/** Runs the suite on one kind of store. */
export function ufsWriteContract(name: string, open: () => Promise<WriteFixture>): void {
  describe(`writes to ${name}`, () => {
    let fixture: WriteFixture;
    let ufs: Ufs;
    let writes: UfsWrites;
    before(async () => {
      fixture = await open();
      ufs = fixture.ufs;
      assert.ok(ufs.writes, "the store takes writes");
      writes = ufs.writes;
    });
    after(() => fixture?.close());

    const code = (expected: string) => (error: unknown) => {
      assert.ok(isRinglightError(error), String(error));
      assert.equal(error.code, expected, error.message);
      return true;
    };
    const put = (key: string, data: Uint8Array | string, settings?: ObjectSettings) =>
      writes.put(key, { body: bodyOf(data), ...(settings && { settings }) });
    const get = async (key: string) => {
      const meta = await ufs.head(key);
      if (meta.sizeBytes === 0) return Buffer.alloc(0);
      return collect((await ufs.read(key, meta.version, { start: 0, end: meta.sizeBytes - 1 })).stream);
    };
    const keys = async () => {
      const page = await ufs.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 1000 });
      return page.objects.map((row) => row.key);
    };

    it("stores bytes of any size under any key, with the ETag that S3 computes", async () => {
      for (const size of [0, 1, 65_536, 1_048_576, 1_048_577, 3_500_000]) {
        const bytes = randomBytes(size, size);
        const result = await put("any size", bytes);
        assert.equal(result.etag, `"${md5(bytes)}"`);
        const meta = await ufs.head("any size");
        assert.deepEqual([meta.version, meta.etag, meta.sizeBytes], [result.version, result.etag, size]);
        assert.ok((await get("any size")).equals(bytes), String(size));
      }
      const odd = ["ä/ö/ü", "a b+c&d=e", "x/./y".replace("./", ".y/"), "~(tilde)'!*", "\u{1f600}", "%41", "q?x=1#y"];
      for (const key of odd) {
        await put(key, key);
        assert.equal((await get(key)).toString(), key);
      }
      for (const key of odd) assert.ok((await keys()).includes(key), key);
      const page = await ufs.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 1000 });
      for (const row of page.objects) assert.equal(row.etag, (await ufs.head(row.key)).etag, row.key);
      await writes.deleteMany([...odd, "any size"].map((key) => ({ key })));
      assert.deepEqual(await keys(), []);
    });

    it("keeps what goes with an object, and forgets it when the object is replaced", async () => {
      const settings = {
        contentType: "text/x-test; charset=utf-8",
        cacheControl: "max-age=7",
        contentDisposition: 'attachment; filename="a b"',
        contentEncoding: "identity-x",
        contentLanguage: "de",
        userMetadata: { colour: "red", "multi-word": "a, b" },
      };
      await put("kept", "v1", settings);
      const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, userMetadata } =
        await ufs.head("kept");
      const told = { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, userMetadata };
      assert.deepEqual(told, settings);
      await put("kept", "v2");
      const meta = await ufs.head("kept");
      assert.equal(meta.userMetadata, undefined);
      assert.equal(meta.cacheControl, undefined);
      await writes.delete("kept");
    });

    it("takes a write's effect whole or not at all when the body fails", async () => {
      await put("torn", "old");
      const failing = (bytes: number, failure: () => void): UfsWriteBody => ({
        sizeBytes: 3_000_000,
        stream: (async function* () {
          for (let sent = 0; sent < bytes; sent += 500_000) yield randomBytes(1, 500_000);
          failure();
        })(),
      });
      const broken = new Error("the client left");
      for (const bytes of [0, 500_000, 2_500_000, 3_000_000]) {
        const body = failing(bytes, () => {
          throw broken;
        });
        await assert.rejects(writes.put("torn", { body }), broken);
        assert.equal((await get("torn")).toString(), "old");
        await assert.rejects(
          writes.put("never", { body: { ...body, stream: failing(0, () => assert.fail()).stream } }),
        );
      }
      for (const bytes of [2_500_000, 3_500_000]) {
        await assert.rejects(writes.put("torn", { body: failing(bytes, () => undefined) }), code("RL_BAD_REQUEST"));
      }
      await assert.rejects(writes.put("small", { body: { ...bodyOf("xy"), sizeBytes: 3 } }), code("RL_BAD_REQUEST"));
      assert.deepEqual(await keys(), ["torn"]);
      assert.equal((await get("torn")).toString(), "old");
      const leaving = new AbortController();
      const slow = failing(2_000_000, () => leaving.abort());
      await assert.rejects(writes.put("torn", { body: slow }, { signal: leaving.signal }));
      assert.equal((await get("torn")).toString(), "old");
      await writes.delete("torn");
    });

    it("honours conditions", async () => {
      const write = (conditions: object) => writes.put("cond", { body: bodyOf("new"), conditions });
      // S3 says 404 of an object that is not there, others 412.
      await assert.rejects(write({ ifMatch: '"0123"' }), (error) =>
        code(isRinglightError(error, "RL_NOT_FOUND") ? "RL_NOT_FOUND" : "RL_PRECONDITION_FAILED")(error),
      );
      const first = await write({ ifNoneMatch: "*" });
      await assert.rejects(write({ ifNoneMatch: "*" }), code("RL_PRECONDITION_FAILED"));
      await assert.rejects(write({ ifMatch: `"${md5("other")}"` }), code("RL_PRECONDITION_FAILED"));
      await put("cond", "changed");
      await assert.rejects(write({ ifMatch: first.etag }), code("RL_PRECONDITION_FAILED"));
      assert.equal((await get("cond")).toString(), "changed");
      await write({ ifMatch: (await ufs.head("cond")).etag });
      assert.equal((await get("cond")).toString(), "new");
      if (fixture.conditionalDeletes) {
        await assert.rejects(writes.delete("cond", { ifMatch: '"0123"' }), code("RL_PRECONDITION_FAILED"));
      }
      await writes.delete("cond");
      await assert.rejects(ufs.head("cond"), code("RL_NOT_FOUND"));
    });

    it("lets one of many creators win", async () => {
      const tries = Array.from({ length: 8 }, (_, index) =>
        writes.put("won", { body: bodyOf(`writer ${index}`), conditions: { ifNoneMatch: "*" } }).then(
          () => index,
          () => -1,
        ),
      );
      const winners = (await Promise.all(tries)).filter((index) => index >= 0);
      assert.equal(winners.length, 1);
      assert.equal((await get("won")).toString(), `writer ${winners[0]}`);
      await writes.delete("won");
    });

    it("copies, with the source's settings or new ones, under conditions", async () => {
      await put("from/source", "0123456789", { contentType: "text/one", userMetadata: { a: "1" } });
      const source = await ufs.head("from/source");
      const same = await writes.copy("to/same", { sourceKey: "from/source" });
      assert.equal(same.etag, source.etag);
      const copied = await ufs.head("to/same");
      assert.deepEqual([copied.contentType, copied.userMetadata], ["text/one", { a: "1" }]);
      const settings = { contentType: "text/two", userMetadata: { b: "2" } };
      await writes.copy("to/other", { sourceKey: "from/source", settings });
      const other = await ufs.head("to/other");
      assert.deepEqual([other.contentType, other.userMetadata], ["text/two", { b: "2" }]);
      assert.equal((await get("to/other")).toString(), "0123456789");
      await writes.copy("from/source", { sourceKey: "from/source", settings });
      assert.equal((await ufs.head("from/source")).contentType, "text/two");
      await assert.rejects(writes.copy("to/x", { sourceKey: "none" }), code("RL_NOT_FOUND"));
      for (const sourceConditions of [{ ifMatch: '"other"' }, { ifNoneMatch: source.etag }]) {
        const copy = writes.copy("to/x", { sourceKey: "from/source", sourceConditions });
        await assert.rejects(copy, code("RL_PRECONDITION_FAILED"));
      }
      for (const conditions of [{ ifMatch: '"other"' }, { ifNoneMatch: "*" }]) {
        const copy = writes.copy("to/other", { sourceKey: "from/source", conditions });
        await assert.rejects(copy, code("RL_PRECONDITION_FAILED"));
      }
      const onNothing = writes.copy("to/x", { sourceKey: "from/source", conditions: { ifMatch: source.etag } });
      await assert.rejects(onNothing, code("RL_NOT_FOUND"));
      await writes.deleteMany((await keys()).map((key) => ({ key })));
    });

    it("deletes, one and many, and forgives what is not there", async () => {
      await writes.delete("never was");
      for (const key of ["d/1", "d/2", "d/<&>\u00e9", "e"]) await put(key, key);
      const items = ["d/1", "d/2", "d/<&>\u00e9", "none/at/all"].map((key) => ({ key }));
      assert.deepEqual(await writes.deleteMany(items), items);
      assert.deepEqual(await keys(), ["e"]);
      const flat = await ufs.list({ prefix: "", delimiter: "/", startAfter: "", maxKeys: 10 });
      assert.deepEqual(flat.commonPrefixes, []);
      await writes.delete("e");
    });

    it("uploads in parts, that are seen when the upload is completed and not before", async () => {
      const { minPartBytes } = fixture;
      const { uploadId } = await writes.createUpload("big/one", {
        settings: { contentType: "text/parts", userMetadata: { x: "y" } },
      });
      const bodies = [randomBytes(1, minPartBytes + 7), randomBytes(2, minPartBytes), randomBytes(3, 5)];
      const parts: { partNumber: number; etag: string }[] = [];
      for (const partNumber of [7, 3, 9]) {
        const body = bodies[[3, 7, 9].indexOf(partNumber)] ?? Buffer.alloc(0);
        const { etag } = await writes.uploadPart("big/one", uploadId, partNumber, bodyOf(body));
        assert.equal(etag, `"${md5(body)}"`);
        parts.push({ partNumber, etag });
      }
      parts.sort((a, b) => a.partNumber - b.partNumber);
      const { leavesOutParts } = fixture;
      if (leavesOutParts) await writes.uploadPart("big/one", uploadId, 11, bodyOf("not named at the end"));
      await assert.rejects(ufs.head("big/one"), code("RL_NOT_FOUND"));
      assert.deepEqual(await keys(), []);
      const first = await writes.listParts("big/one", uploadId, { partNumberMarker: 0, maxParts: 2 });
      assert.deepEqual(
        first.parts.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]),
        [
          [3, minPartBytes + 7],
          [7, minPartBytes],
        ],
      );
      assert.ok(first.truncated);
      const rest = await writes.listParts("big/one", uploadId, {
        partNumberMarker: first.nextPartNumberMarker,
        maxParts: 1000,
      });
      assert.deepEqual(
        [rest.parts.map(({ partNumber }) => partNumber), rest.truncated],
        [leavesOutParts ? [9, 11] : [9], false],
      );
      const uploads = { prefix: "", delimiter: "", keyMarker: "", uploadIdMarker: "", maxUploads: 10 };
      const listed = await writes.listUploads(uploads);
      assert.deepEqual(
        listed.uploads.map((upload) => [upload.key, upload.uploadId]),
        [["big/one", uploadId]],
      );
      assert.deepEqual((await writes.listUploads({ ...uploads, delimiter: "/" })).commonPrefixes, ["big/"]);
      const complete = (named: typeof parts) => writes.completeUpload("big/one", uploadId, { parts: named });
      const wrongSize = writes.completeUpload("big/one", uploadId, { parts, sizeBytes: 1 });
      await assert.rejects(wrongSize, code("RL_BAD_REQUEST"));
      await assert.rejects(
        complete([{ partNumber: 3, etag: '"0123456789abcdef0123456789abcdef"' }]),
        code("RL_INVALID_PART"),
      );
      await assert.rejects(complete([{ partNumber: 4, etag: parts[0]?.etag ?? "" }]), code("RL_INVALID_PART"));
      const result = await complete(parts);
      const digests = bodies.map((body) => createHash("md5").update(body).digest());
      assert.equal(result.etag, `"${md5(Buffer.concat(digests))}-3"`);
      const meta = await ufs.head("big/one");
      assert.deepEqual([meta.version, meta.etag], [result.version, result.etag]);
      assert.deepEqual([meta.contentType, meta.userMetadata], ["text/parts", { x: "y" }]);
      assert.ok((await get("big/one")).equals(Buffer.concat(bodies)));
      assert.deepEqual((await writes.listUploads(uploads)).uploads, []);
      await writes.delete("big/one");
    });

    it("lists uploads page by page, with keys rolled up at a delimiter", async () => {
      const keys = ["a", "b/c", "b/d", "c", "d/e"];
      const begun = await Promise.all(
        keys.map(async (key) => ({ key, uploadId: (await writes.createUpload(key, {})).uploadId })),
      );
      const seen: string[] = [];
      let marker = { keyMarker: "", uploadIdMarker: "" };
      for (let rounds = 0; rounds < 10; rounds++) {
        const page = await writes.listUploads({ prefix: "", delimiter: "/", ...marker, maxUploads: 1 });
        seen.push(...page.uploads.map(({ key }) => key), ...page.commonPrefixes);
        if (!page.truncated) break;
        marker = { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker };
      }
      assert.deepEqual(seen, ["a", "b/", "c", "d/"]);
      await Promise.all(begun.map(({ key, uploadId }) => writes.abortUpload(key, uploadId)));
    });

    it("copies parts out of objects, by range", async () => {
      const bytes = randomBytes(5, fixture.minPartBytes + 1000);
      await put("source", bytes);
      const { uploadId } = await writes.createUpload("assembled", {});
      const ranges = [
        { start: 10, end: fixture.minPartBytes + 20 },
        { start: 0, end: 4 },
      ];
      const parts: { partNumber: number; etag: string }[] = [];
      for (const [index, range] of ranges.entries()) {
        const { etag } = await writes.uploadPartCopy("assembled", uploadId, index + 1, { sourceKey: "source", range });
        parts.push({ partNumber: index + 1, etag });
      }
      await writes.completeUpload("assembled", uploadId, { parts });
      const expected = Buffer.concat(ranges.map(({ start, end }) => bytes.subarray(start, end + 1)));
      assert.ok((await get("assembled")).equals(expected));
      await writes.deleteMany([{ key: "source" }, { key: "assembled" }]);
    });

    it("refuses what is wrong with an upload, and forgets aborted ones", async () => {
      const { uploadId } = await writes.createUpload("wrong", {});
      const small: { partNumber: number; etag: string }[] = [];
      for (const partNumber of [1, 2]) {
        small.push({ partNumber, etag: (await writes.uploadPart("wrong", uploadId, partNumber, bodyOf("tiny"))).etag });
      }
      const complete = writes.completeUpload("wrong", uploadId, { parts: small });
      await assert.rejects(complete, code("RL_ENTITY_TOO_SMALL"));
      const failing = (async function* () {
        yield Buffer.from("xx");
        throw new Error("gone");
      })();
      await assert.rejects(writes.uploadPart("wrong", uploadId, 3, { sizeBytes: 5, stream: failing }), /gone/);
      await writes.abortUpload("wrong", uploadId);
      const page = { partNumberMarker: 0, maxParts: 10 };
      await assert.rejects(writes.listParts("wrong", uploadId, page), code("RL_NO_SUCH_UPLOAD"));
      await assert.rejects(writes.uploadPart("wrong", uploadId, 1, bodyOf("x")), code("RL_NO_SUCH_UPLOAD"));
      await assert.rejects(writes.listParts("wrong", "../../etc", page), code("RL_NO_SUCH_UPLOAD"));
      assert.deepEqual(await keys(), []);
    });

    it("keeps tags where it keeps any", async () => {
      if (!fixture.keepsTags) return;
      await put("tagged", "x", { tagging: "a=1&b=%C3%A4" });
      const sorted = async () => (await writes.getTagging("tagged")).sort((a, b) => (a.key < b.key ? -1 : 1));
      assert.deepEqual(await sorted(), [
        { key: "a", value: "1" },
        { key: "b", value: "ä" },
      ]);
      await writes.putTagging("tagged", [{ key: "<c>", value: "&" }]);
      assert.deepEqual(await sorted(), [{ key: "<c>", value: "&" }]);
      await writes.deleteTagging("tagged");
      assert.deepEqual(await sorted(), []);
      await assert.rejects(writes.getTagging("untagged"), code("RL_NOT_FOUND"));
      await writes.delete("tagged");
    });

    it("never shows a reader a mix of two writes", async () => {
      const versions = Array.from({ length: 6 }, (_, index) => randomBytes(index + 1, 300_000 + index));
      const known = new Set(versions.map(md5));
      await put("raced", versions[0] ?? "");
      let writing = true;
      const writers = versions.map(async (bytes) => {
        for (let round = 0; round < 5; round++) await put("raced", bytes);
      });
      const done = Promise.all(writers).finally(() => {
        writing = false;
      });
      let reads = 0;
      // A fast writer may be done before the first read is: one more is made then.
      while (writing || reads === 0) {
        try {
          assert.ok(known.has(md5(await get("raced"))));
          reads++;
        } catch (error) {
          if (!isRinglightError(error, "RL_VERSION_CHANGED") && !isRinglightError(error, "RL_NOT_FOUND")) throw error;
        }
      }
      await done;
      assert.ok(reads > 0);
      assert.ok(known.has(md5(await get("raced"))));
      await writes.delete("raced");
    });
  });
}

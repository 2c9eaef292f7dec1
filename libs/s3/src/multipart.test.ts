import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import {
  AbortMultipartUploadCommand,
  ChecksumAlgorithm,
  ChecksumType,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  ObjectAttributes,
  type S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { checksumBase64 } from "@ringlight/checksum";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
const at = { Bucket: "bkt", Key: "dir/big key" };

before(async () => {
  server = await startTestServer();
});
beforeEach(() => {
  server.backend.removeBucket("bkt");
  server.backend.addBucket("bkt");
  server.backend.writes.minPartBytes = 100;
});
after(() => server.close());

const refusedWith = (name: string) => (error: S3ServiceException) => {
  assert.equal(error.name, name, error.message);
  return true;
};

const bytesOf = (text: string, size: number) => Buffer.alloc(size, text);

async function begin(input: object = {}): Promise<string> {
  const { UploadId } = await server.sdk.send(new CreateMultipartUploadCommand({ ...at, ...input }));
  assert.ok(UploadId);
  return UploadId;
}

function upload(UploadId: string, PartNumber: number, Body: Buffer) {
  return server.sdk.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
}

function complete(UploadId: string, parts: [number, string | undefined][], input: object = {}) {
  const Parts = parts.map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
  return server.sdk.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts }, ...input }));
}

test("an upload in parts makes one object with the settings that it began with", async () => {
  const id = await begin({ ContentType: "text/x", Metadata: { a: "1" }, Tagging: "t=1" });
  const second = await upload(id, 7, bytesOf("b", 50));
  const first = await upload(id, 2, bytesOf("a", 100));
  const done = await complete(id, [
    [2, first.ETag],
    [7, second.ETag],
  ]);
  const md5 = (bytes: Buffer) => createHash("md5").update(bytes).digest();
  const etag = md5(Buffer.concat([md5(bytesOf("a", 100)), md5(bytesOf("b", 50))])).toString("hex");
  assert.equal(done.ETag, `"${etag}-2"`);
  assert.deepEqual([done.Bucket, done.Key], [at.Bucket, at.Key]);
  const got = await server.sdk.send(new GetObjectCommand(at));
  assert.equal(await got.Body?.transformToString(), "a".repeat(100) + "b".repeat(50));
  assert.deepEqual([got.ContentType, got.Metadata, got.TagCount], ["text/x", { a: "1" }, 1]);
  await assert.rejects(upload(id, 3, bytesOf("c", 10)), refusedWith("NoSuchUpload"));
});

test("parts by number are read where they lie", async () => {
  const id = await begin();
  const first = await upload(id, 1, bytesOf("a", 100));
  const second = await upload(id, 2, bytesOf("b", 50));
  await complete(id, [
    [1, first.ETag],
    [2, second.ETag],
  ]);
  const part = await server.sdk.send(new GetObjectCommand({ ...at, PartNumber: 2 }));
  assert.equal(await part.Body?.transformToString(), "b".repeat(50));
  assert.deepEqual([part.PartsCount, part.ContentRange], [2, "bytes 100-149/150"]);
  const head = await server.sdk.send(new HeadObjectCommand({ ...at, PartNumber: 1 }));
  assert.deepEqual([head.PartsCount, head.ContentLength], [2, 100]);
  assert.equal((await server.ask("/bkt/dir/big%20key?partNumber=3")).code, "InvalidPartNumber");
});

test("a part that is missing, or has another ETag, is InvalidPart; wrong order and small parts are told", async () => {
  const id = await begin();
  const first = await upload(id, 1, bytesOf("a", 99));
  const second = await upload(id, 2, bytesOf("b", 10));
  const refused = (parts: [number, string | undefined][], code: string) =>
    assert.rejects(complete(id, parts), refusedWith(code));
  await refused([[3, first.ETag]], "InvalidPart");
  await refused([[1, second.ETag]], "InvalidPart");
  await refused(
    [
      [2, second.ETag],
      [1, first.ETag],
    ],
    "InvalidPartOrder",
  );
  await refused(
    [
      [1, first.ETag],
      [1, first.ETag],
    ],
    "InvalidPartOrder",
  );
  await refused(
    [
      [1, first.ETag],
      [2, second.ETag],
    ],
    "EntityTooSmall",
  );
  await refused([], "MalformedXML");
  const empty = await server.ask(`/bkt/dir/big%20key?uploadId=${id}`, { method: "POST" });
  assert.deepEqual([empty.status, empty.code], [400, "MalformedXML"]);
  assert.deepEqual(server.backend.keys("bkt"), []);
  const bare = await complete(id, [[1, first.ETag?.replaceAll('"', "")]]);
  assert.match(bare.ETag ?? "", /-1"$/);
});

test("a part sent again replaces the one before", async () => {
  const id = await begin();
  await upload(id, 1, bytesOf("x", 10));
  const last = await upload(id, 1, bytesOf("y", 10));
  await complete(id, [[1, last.ETag]]);
  assert.equal(server.backend.get("bkt", at.Key).bytes.toString(), "y".repeat(10));
});

test("conditions of Complete are those of a write", async () => {
  server.backend.put("bkt", at.Key, "old");
  const id = await begin();
  const part = await upload(id, 1, bytesOf("a", 10));
  await assert.rejects(complete(id, [[1, part.ETag]], { IfNoneMatch: "*" }), refusedWith("PreconditionFailed"));
  await assert.rejects(complete(id, [[1, part.ETag]], { IfMatch: '"other"' }), refusedWith("PreconditionFailed"));
  assert.equal(server.backend.get("bkt", at.Key).bytes.toString(), "old");
  await complete(id, [[1, part.ETag]], { IfMatch: server.backend.get("bkt", at.Key).meta.etag });
});

test("composite and whole-object checksums are made, verified and told with the parts", async () => {
  const all = Buffer.concat([bytesOf("a", 100), bytesOf("b", 50)]);
  for (const type of [ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE]) {
    const id = await begin({ ChecksumAlgorithm: ChecksumAlgorithm.CRC32, ChecksumType: type });
    const parts = [await upload(id, 1, bytesOf("a", 100)), await upload(id, 2, bytesOf("b", 50))];
    const listed = await server.sdk.send(new ListPartsCommand({ ...at, UploadId: id }));
    assert.deepEqual([listed.ChecksumAlgorithm, listed.ChecksumType], ["CRC32", type]);
    assert.deepEqual(
      listed.Parts?.map((part) => part.ChecksumCRC32),
      parts.map((part) => part.ChecksumCRC32),
    );
    const MultipartUpload = {
      Parts: parts.map(({ ETag, ChecksumCRC32 }, index) => ({ PartNumber: index + 1, ETag, ChecksumCRC32 })),
    };
    const wrong = {
      Parts: MultipartUpload.Parts.map((part) => ({ ...part, ChecksumCRC32: checksumBase64("CRC32", all) })),
    };
    await assert.rejects(complete(id, [], { MultipartUpload: wrong }), refusedWith("InvalidPart"));
    const other = checksumBase64("CRC32", Buffer.from("other"));
    await assert.rejects(complete(id, [], { MultipartUpload, ChecksumCRC32: other }), refusedWith("BadDigest"));
    const done = await complete(id, [], { MultipartUpload });
    assert.equal(done.ChecksumType, type);
    const second = await server.sdk.send(new HeadObjectCommand({ ...at, PartNumber: 2, ChecksumMode: "ENABLED" }));
    assert.deepEqual([second.ChecksumCRC32, second.ChecksumType], [parts[1]?.ChecksumCRC32, type]);
    if (type === ChecksumType.FULL_OBJECT) assert.equal(done.ChecksumCRC32, checksumBase64("CRC32", all));
    else assert.match(done.ChecksumCRC32 ?? "", /-2$/);
    const attributes = await server.sdk.send(
      new GetObjectAttributesCommand({ ...at, ObjectAttributes: ["Checksum", "ObjectParts"], MaxParts: 1 }),
    );
    assert.equal(attributes.Checksum?.ChecksumType, type);
    assert.deepEqual(
      [
        attributes.ObjectParts?.TotalPartsCount,
        attributes.ObjectParts?.IsTruncated,
        attributes.ObjectParts?.Parts?.length,
      ],
      [2, true, 1],
    );
  }
});

test("checksum types that an algorithm cannot have are InvalidRequest", async () => {
  const refused = (input: object) => assert.rejects(begin(input), refusedWith("InvalidRequest"));
  await refused({ ChecksumAlgorithm: "SHA1", ChecksumType: "FULL_OBJECT" });
  await refused({ ChecksumAlgorithm: "CRC64NVME", ChecksumType: "COMPOSITE" });
  await refused({ ChecksumType: "COMPOSITE" });
  const unknown = await server.ask("/bkt/k?uploads", {
    method: "POST",
    headers: { "x-amz-checksum-algorithm": "MD5" },
  });
  assert.equal(unknown.code, "InvalidRequest");
});

test("parts are copied whole or by range, and ranges of any other form are InvalidArgument", async () => {
  server.backend.put("bkt", "source", "0123456789");
  const id = await begin();
  const copy = (PartNumber: number, CopySourceRange?: string) =>
    server.sdk.send(
      new UploadPartCopyCommand({
        ...at,
        UploadId: id,
        PartNumber,
        CopySource: "bkt/source",
        ...(CopySourceRange && { CopySourceRange }),
      }),
    );
  server.backend.writes.minPartBytes = 1;
  const whole = await copy(1);
  const some = await copy(2, "bytes=2-4");
  assert.ok(whole.CopyPartResult?.LastModified);
  for (const range of ["bytes=2-", "bytes=-2", "2-4", "bytes=4-2", "bytes=0-1,3-4", "bytes=a-b"]) {
    await assert.rejects(copy(3, range), refusedWith("InvalidArgument"), range);
  }
  await assert.rejects(copy(3, "bytes=0-10"), refusedWith("InvalidArgument"));
  await complete(id, [
    [1, whole.CopyPartResult?.ETag],
    [2, some.CopyPartResult?.ETag],
  ]);
  assert.equal(server.backend.get("bkt", at.Key).bytes.toString(), "0123456789234");
});

test("ListParts pages, and an aborted upload is gone", async () => {
  const id = await begin({ StorageClass: "STANDARD_IA" });
  for (const number of [1, 2, 3, 10, 20]) await upload(id, number, bytesOf("x", 5));
  const numbers: (number | undefined)[] = [];
  for (let marker = "0", more = true; more; ) {
    const page = await server.sdk.send(
      new ListPartsCommand({ ...at, UploadId: id, MaxParts: 2, PartNumberMarker: marker }),
    );
    numbers.push(...(page.Parts ?? []).map((part) => part.PartNumber));
    assert.equal(page.StorageClass, "STANDARD_IA");
    more = page.IsTruncated ?? false;
    marker = page.NextPartNumberMarker ?? "";
  }
  assert.deepEqual(numbers, [1, 2, 3, 10, 20]);
  const none = await server.ask(`/bkt/dir/big%20key?uploadId=${id}&max-parts=0`);
  assert.match(none.body.toString(), /<IsTruncated>false<\/IsTruncated>(?!.*<Part>)/);
  await server.sdk.send(new AbortMultipartUploadCommand({ ...at, UploadId: id }));
  await assert.rejects(server.sdk.send(new ListPartsCommand({ ...at, UploadId: id })), refusedWith("NoSuchUpload"));
  await assert.rejects(
    server.sdk.send(new AbortMultipartUploadCommand({ ...at, UploadId: id })),
    refusedWith("NoSuchUpload"),
  );
});

test("what an upload's checksum will be is told from its beginning", async () => {
  const wanted = [
    [{ ChecksumAlgorithm: "SHA256" }, "COMPOSITE"],
    [{ ChecksumAlgorithm: "CRC64NVME" }, "FULL_OBJECT"],
    [{ ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" }, "FULL_OBJECT"],
  ] as const;
  for (const [input, type] of wanted) {
    const UploadId = await begin(input);
    const parts = await server.sdk.send(new ListPartsCommand({ ...at, UploadId }));
    const { Uploads = [] } = await server.sdk.send(new ListMultipartUploadsCommand({ Bucket: "bkt" }));
    for (const told of [parts, Uploads.find((row) => row.UploadId === UploadId)]) {
      assert.deepEqual([told?.ChecksumAlgorithm, told?.ChecksumType], [input.ChecksumAlgorithm, type]);
    }
    await server.sdk.send(new AbortMultipartUploadCommand({ ...at, UploadId }));
  }
});

test("an upload of one part has a part, by number and among the attributes", async () => {
  const id = await begin();
  await complete(id, [[1, (await upload(id, 1, bytesOf("a", 10))).ETag]]);
  const got = await server.sdk.send(new HeadObjectCommand({ ...at, PartNumber: 1 }));
  assert.deepEqual([got.PartsCount, got.ContentLength], [1, 10]);
  const ask = { ...at, ObjectAttributes: [ObjectAttributes.OBJECT_PARTS] };
  const told = await server.sdk.send(new GetObjectAttributesCommand(ask));
  assert.equal(told.ObjectParts?.TotalPartsCount, 1);
});

test("ListMultipartUploads lists by prefix and delimiter, page by page", async () => {
  const keys = ["a", "dir/1", "dir/2", "dir2/x", "z", "z"];
  for (const Key of keys) await begin({ Key });
  const list = (input: object) => server.sdk.send(new ListMultipartUploadsCommand({ Bucket: "bkt", ...input }));
  assert.deepEqual(
    (await list({})).Uploads?.map(({ Key }) => Key),
    keys,
  );
  const rolled = await list({ Delimiter: "/" });
  assert.deepEqual(
    rolled.Uploads?.map(({ Key }) => Key),
    ["a", "z", "z"],
  );
  assert.deepEqual(
    rolled.CommonPrefixes?.map(({ Prefix }) => Prefix),
    ["dir/", "dir2/"],
  );
  assert.deepEqual(
    (await list({ Prefix: "dir/" })).Uploads?.map(({ Key }) => Key),
    ["dir/1", "dir/2"],
  );
  const seen: (string | undefined)[] = [];
  for (let marker: object | undefined = {}; marker; ) {
    const page = await list({ ...marker, MaxUploads: 2, EncodingType: "url" });
    seen.push(...(page.Uploads ?? []).map(({ Key }) => decodeURIComponent(Key ?? "")));
    marker = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined;
  }
  assert.deepEqual(seen, keys);
});

test("part numbers are 1 to 10000, and an unknown upload is NoSuchUpload", async () => {
  for (const number of ["0", "10001", "-1", "x", ""]) {
    const answer = await server.ask(`/bkt/k?uploadId=u&partNumber=${number}`, {
      method: "PUT",
      body: "x",
      headers: { "content-length": "1" },
    });
    assert.deepEqual([answer.status, answer.code], [400, "InvalidArgument"], number);
  }
  for (const headers of [{ "content-length": "1" }, { "x-amz-copy-source": "/bkt/source" }] as const) {
    const asked = { method: "PUT", headers: { ...headers }, ...("content-length" in headers && { body: "x" }) };
    const loose = await server.ask("/bkt/k?partNumber=1", asked);
    assert.deepEqual([loose.status, loose.code], [400, "InvalidArgument"]);
  }
  assert.deepEqual(server.backend.keys("bkt"), []);
  const unknown = await server.ask("/bkt/k?uploadId=u&partNumber=1", {
    method: "PUT",
    body: "x",
    headers: { "content-length": "1" },
  });
  assert.deepEqual([unknown.status, unknown.code], [404, "NoSuchUpload"]);
  assert.equal((await server.ask("/bkt/k?uploadId=u")).code, "NoSuchUpload");
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { randomBytes, type S3Origin, startS3Origin, waitFor } from "./index.ts";

describe("the S3 origin, written by the AWS SDK", () => {
  const Bucket = "writes";
  let origin: S3Origin;
  let s3: S3Client;
  before(async () => {
    origin = await startS3Origin({ verifySignatures: true, minPartBytes: 100 });
    origin.createBucket(Bucket);
    const { endpoint, region, accessKeyId, secretAccessKey } = origin;
    const credentials = { accessKeyId, secretAccessKey };
    s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  });
  after(async () => {
    s3.destroy();
    await origin.close();
  });

  it("uploads in parts, with the ETag that S3 computes, and tells parts and checksums", async () => {
    const Key = "multi & part";
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType: "text/x" }));
    const bodies = [randomBytes(1, 150), randomBytes(2, 150), randomBytes(3, 10)];
    const parts = [];
    for (const [index, Body] of bodies.entries()) {
      const PartNumber = index + 1;
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      parts.push({ ETag, PartNumber });
    }
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }));
    assert.deepEqual([listed.Parts?.length, listed.IsTruncated, listed.NextPartNumberMarker], [2, true, "2"]);
    const uploads = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
    assert.deepEqual(
      uploads.Uploads?.map((upload) => upload.Key),
      [Key],
    );
    const complete = (Parts: object[]) =>
      s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    await assert.rejects(complete([...parts].reverse()), { name: "InvalidPartOrder" });
    await assert.rejects(complete([{ PartNumber: 7, ETag: '"x"' }]), { name: "InvalidPart" });
    const { ETag } = await complete(parts);
    const digests = bodies.map((body) => createHash("md5").update(body).digest());
    assert.equal(ETag, `"${createHash("md5").update(Buffer.concat(digests)).digest("hex")}-3"`);
    await assert.rejects(complete(parts), { name: "NoSuchUpload" });
    assert.ok(origin.bytesOf(Bucket, Key).equals(Buffer.concat(bodies)));
    const part = await s3.send(new HeadObjectCommand({ Bucket, Key, PartNumber: 2 }));
    assert.deepEqual([part.ContentLength, part.PartsCount, part.ContentType], [150, 3, "text/x"]);
    assert.equal(origin.uploadCount, 0);
  });

  it("refuses small parts, and forgets an aborted upload", async () => {
    const Key = "small";
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts = [];
    for (const PartNumber of [1, 2]) {
      const upload = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: "tiny" });
      Parts.push({ PartNumber, ETag: (await s3.send(upload)).ETag });
    }
    const complete = new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
    await assert.rejects(s3.send(complete), { name: "EntityTooSmall" });
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    await assert.rejects(s3.send(new ListPartsCommand({ Bucket, Key, UploadId })), { name: "NoSuchUpload" });
    assert.equal(origin.object(Bucket, Key), undefined);
  });

  it("copies with and without new metadata, and parts by range", async () => {
    const Metadata = { colour: "red" };
    await s3.send(new PutObjectCommand({ Bucket, Key: "source", Body: "0123456789".repeat(30), Metadata }));
    const CopySource = `${Bucket}/source`;
    await s3.send(new CopyObjectCommand({ Bucket, Key: "same", CopySource }));
    assert.deepEqual((await s3.send(new HeadObjectCommand({ Bucket, Key: "same" }))).Metadata, Metadata);
    const replace = { MetadataDirective: "REPLACE", Metadata: { colour: "blue" } } as const;
    await s3.send(new CopyObjectCommand({ Bucket, Key: "other", CopySource, ...replace }));
    assert.deepEqual((await s3.send(new HeadObjectCommand({ Bucket, Key: "other" }))).Metadata, { colour: "blue" });
    await assert.rejects(
      s3.send(new CopyObjectCommand({ Bucket, Key: "no", CopySource, CopySourceIfMatch: '"other"' })),
      { name: "PreconditionFailed" },
    );
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "parts" }));
    const copied = await s3.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: "parts",
        UploadId,
        PartNumber: 1,
        CopySource,
        CopySourceRange: "bytes=5-14",
      }),
    );
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: copied.CopyPartResult?.ETag }] };
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: "parts", UploadId, MultipartUpload }));
    assert.equal(origin.bytesOf(Bucket, "parts").toString(), "5678901234");
  });

  it("keeps checksums and tags, and honours conditions of writes", async () => {
    const put = (input: object) => s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "v", ...input }));
    await put({ ChecksumAlgorithm: "SHA256", Tagging: "a=1&b=2" });
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
    assert.equal(head.ChecksumSHA256, createHash("sha256").update("v").digest("base64"));
    assert.equal((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "k" }))).TagSet?.length, 2);
    await s3.send(new PutObjectTaggingCommand({ Bucket, Key: "k", Tagging: { TagSet: [{ Key: "x", Value: "<&>" }] } }));
    const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "k" }));
    assert.deepEqual(TagSet, [{ Key: "x", Value: "<&>" }]);
    await assert.rejects(put({ IfNoneMatch: "*" }), { name: "PreconditionFailed" });
    await assert.rejects(put({ IfMatch: '"other"' }), { name: "PreconditionFailed" });
    await put({ IfMatch: head.ETag });
    await assert.rejects(put({ ContentMD5: createHash("md5").update("w").digest("base64") }), { name: "BadDigest" });
  });

  it("lets an answer arrive after what it says was overwritten", async () => {
    origin.putObject(Bucket, "late", "old");
    origin.lag({ op: "HeadObject", key: "late" }, 100, { times: 1 });
    const head = s3.send(new HeadObjectCommand({ Bucket, Key: "late" }));
    await waitFor(() => origin.requests.some((request) => request.op === "HeadObject" && request.key === "late"));
    const { etag } = origin.putObject(Bucket, "late", "newer");
    assert.notEqual((await head).ETag, etag);
    assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "late" }))).ETag, etag);
  });

  it("deletes many, and leaves the old object when an upload is cut", async () => {
    for (const key of ["d/1", "d/&<2>"]) origin.putObject(Bucket, key, key);
    const Objects = [{ Key: "d/1" }, { Key: "d/&<2>" }, { Key: "d/none" }];
    const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    assert.equal(Deleted?.length, 3);
    assert.equal(origin.object(Bucket, "d/&<2>"), undefined);
    origin.putObject(Bucket, "torn", "old");
    origin.cutUpload({ key: "torn" }, 1000, { times: 1 });
    const Body = randomBytes(1, 100_000);
    await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: "torn", Body })));
    assert.equal(origin.bytesOf(Bucket, "torn").toString(), "old");
    origin.loseAnswer({ key: "torn" }, { times: 1 });
    await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: "torn", Body })));
    assert.ok(origin.bytesOf(Bucket, "torn").equals(Body));
    const streamed = await s3.send(new GetObjectCommand({ Bucket, Key: "torn" }));
    assert.equal((await streamed.Body?.transformToByteArray())?.length, Body.length);
  });
});

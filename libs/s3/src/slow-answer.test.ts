import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { CopyObjectCommand, type S3ServiceException } from "@aws-sdk/client-s3";
import { RinglightError } from "@ringlight/core";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
/** Takes the copies over while it is set. */
let slowly: (() => Promise<void>) | undefined;

before(async () => {
  server = await startTestServer({ stallTimeoutMs: 120 });
  server.backend.addBucket("bkt");
  server.backend.put("bkt", "key", "bytes");
  const { writes } = server.backend;
  const copy = writes.copy.bind(writes);
  writes.copy = async (...request) => {
    await slowly?.();
    return copy(...request);
  };
});
after(() => server.close());

const command = () => new CopyObjectCommand({ Bucket: "bkt", Key: "copy", CopySource: "bkt/key" });

test("a copy that takes long is answered at once with blanks, and with its document in the end", async () => {
  slowly = async () => {
    await pause(200);
  };
  const answer = await server.sdk.send(command());
  assert.equal(answer.CopyObjectResult?.ETag, server.backend.get("bkt", "key").meta.etag);
  const raw = await server.ask("/bkt/copy", { method: "PUT", headers: { "x-amz-copy-source": "bkt/key" } });
  assert.equal(raw.headers["content-length"], undefined);
  assert.match(raw.body.toString(), /^<\?xml version="1.0" encoding="UTF-8"\?>\n +<CopyObjectResult/);
});

test("one that fails late says so in its document, and one that fails early by its status", async () => {
  const fail = () => {
    throw new RinglightError("RL_UFS_UNAVAILABLE", "the store is away");
  };
  slowly = async () => {
    await pause(200);
    fail();
  };
  await assert.rejects(server.sdk.send(command()), (error: S3ServiceException) => error.name === "ServiceUnavailable");
  slowly = async () => fail();
  const early = await server.ask("/bkt/copy", { method: "PUT", headers: { "x-amz-copy-source": "bkt/key" } });
  assert.deepEqual([early.status, early.code], [503, "ServiceUnavailable"]);
});

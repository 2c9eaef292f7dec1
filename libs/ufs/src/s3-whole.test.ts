/** When an object is asked for without a range, and what happens when there is more of it than was expected. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { isRinglightError, type ObjectMeta, type Ufs } from "@ringlight/core";
import { type S3Origin, startS3Origin } from "@ringlight/testing";
import { openUfs } from "./index.ts";
import { sinkOf } from "./ufs-contract.ts";

const BUCKET = "data";
const ASKED_BYTES = 100_000;
let origin: S3Origin;
let ufs: Ufs;

before(async () => {
  origin = await startS3Origin({ verifySignatures: true });
});
after(() => origin.close());
afterEach(() => ufs.close());

async function open(): Promise<void> {
  ufs = await openUfs(
    { uri: `s3://${BUCKET}`, options: { endpoint: origin.endpoint }, credentials: { kind: "env", prefix: "T" } },
    { env: { T_ACCESS_KEY_ID: origin.accessKeyId, T_SECRET_ACCESS_KEY: origin.secretAccessKey } },
  );
  origin.resetCounts();
}

const put = (key: string, sizeBytes: number) => origin.putObject(BUCKET, key, { sizeBytes, seed: sizeBytes });
const ranges = () => origin.requests.map(({ range }) => range);

/** Reads up to `ASKED_BYTES` of an object of which nothing is known. */
async function unknown(key: string, start = 0): Promise<Buffer> {
  assert.ok(ufs.readCurrent);
  const end = start + ASKED_BYTES - 1;
  let sink = sinkOf(0);
  let told: ObjectMeta | undefined;
  await ufs.readCurrent(key, { start, end }, (meta, range) => {
    told = meta;
    sink = sinkOf(range.end - range.start + 1);
    return sink;
  });
  assert.equal(told?.sizeBytes, origin.bytesOf(BUCKET, key).length);
  assert.equal(sink.filled(), sink.bytes.length);
  assert.ok(sink.bytes.equals(origin.bytesOf(BUCKET, key).subarray(start, end + 1)));
  return sink.bytes;
}

test("where objects are small, the next unknown one is asked for whole; a longer one is broken off, and ranges come back", async () => {
  await open();
  put("small", 5000);
  put("long", 40_000_000);
  for (let read = 0; read < 16; read++) await unknown("small");
  assert.deepEqual(new Set(ranges()), new Set([`bytes=0-${ASKED_BYTES - 1}`]));
  origin.resetCounts();
  await unknown("small");
  await unknown("small", 1000);
  assert.deepEqual(ranges(), ["", `bytes=1000-${1000 + ASKED_BYTES - 1}`]);
  origin.resetCounts();
  await unknown("long");
  await unknown("long");
  await unknown("small");
  const [whole, ...ranged] = origin.requests;
  assert.equal(whole?.range, "");
  assert.ok((whole?.bytes ?? 0) < 40_000_000, "what is behind was not sent to the end");
  assert.deepEqual(
    ranged.map(({ range }) => range),
    [`bytes=0-${ASKED_BYTES - 1}`, `bytes=0-${ASKED_BYTES - 1}`],
  );
});

test("an empty object among small ones has no byte that could be read, asked for whole or not", async () => {
  await open();
  put("small", 5000);
  put("empty", 0);
  const refused = (error: unknown) => isRinglightError(error, "RL_BAD_RANGE");
  await assert.rejects(unknown("empty"), refused);
  for (let read = 0; read < 16; read++) await unknown("small");
  await assert.rejects(unknown("empty"), refused);
  await unknown("small");
});

test("a version whose size is known is asked for whole where all of it is wanted, and no other one is taken for it", async () => {
  await open();
  const { etag } = put("known", 5000);
  const read = async (version: string, end: number, sizeBytes?: number) => {
    assert.ok(ufs.readInto);
    const sink = sinkOf(end + 1);
    await ufs.readInto("known", version, { start: 0, end }, sink, sizeBytes === undefined ? {} : { sizeBytes });
    assert.ok(sink.bytes.equals(origin.bytesOf(BUCKET, "known").subarray(0, end + 1)));
  };
  await read(etag, 4999, 5000);
  await read(etag, 4998, 5000);
  await read(etag, 4999);
  assert.deepEqual(ranges(), ["", "bytes=0-4998", "bytes=0-4999"]);
  origin.truncate({ op: "GetObject" }, 1234, { times: 1 });
  origin.resetCounts();
  await read(etag, 4999, 5000);
  assert.deepEqual(ranges(), ["", "bytes=1234-4999"]);
  put("known", 6000);
  await assert.rejects(read(etag, 4999, 5000), (error) => isRinglightError(error, "RL_VERSION_CHANGED"));
});

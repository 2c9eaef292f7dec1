import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, describe, it } from "node:test";
import { type ByteRange, isRinglightError, type Ufs, type UfsObservation } from "@ringlight/core";
import { freePort, type S3Origin, startFaultProxy, startS3Origin, waitFor } from "@ringlight/testing";
import { openUfs, type UfsOptions } from "./index.ts";
import { backoffMs, MAX_ATTEMPTS, parseRetryAfter } from "./retry.ts";
import { collect } from "./ufs-contract.ts";

describe("an s3:// mount whose store misbehaves", () => {
  const SIZE = 3_000_000;
  const WHOLE: ByteRange = { start: 0, end: SIZE - 1 };
  const GET = { op: "GetObject" } as const;
  let origin: S3Origin;
  let ufs: Ufs;
  let version: string;
  const observations: UfsObservation[] = [];

  const open = (endpoint: string, options: UfsOptions = {}, mountOptions: Record<string, string> = {}) =>
    openUfs(
      { uri: "s3://data", options: { endpoint, ...mountOptions }, credentials: { kind: "env", prefix: "T" } },
      {
        env: { T_ACCESS_KEY_ID: origin.accessKeyId, T_SECRET_ACCESS_KEY: origin.secretAccessKey },
        ...options,
      },
    );
  /** A check for assert.rejects: the code, and what the text must name. */
  const failure = (code: string, text?: RegExp) => (error: unknown) => {
    assert.ok(isRinglightError(error), String(error));
    assert.equal(error.code, code, error.message);
    if (text) assert.match(error.message, text);
    return true;
  };
  const read = async (from: Ufs = ufs, range: ByteRange = WHOLE) =>
    collect((await from.read("k", version, range)).stream);
  const expected = () => origin.bytesOf("data", "k");

  before(async () => {
    origin = await startS3Origin({ verifySignatures: true });
    ufs = await open(origin.endpoint, {
      stallTimeoutMs: 150,
      timeoutMs: 5000,
      observe: (observation) => observations.push(observation),
    });
    version = origin.putObject("data", "k", { sizeBytes: SIZE, seed: 5 }).etag;
  });
  afterEach(() => {
    origin.clearFaults();
    origin.resetCounts();
    observations.length = 0;
    version = origin.putObject("data", "k", { sizeBytes: SIZE, seed: 5 }).etag;
  });
  after(async () => {
    await ufs.close();
    await origin.close();
  });

  it("tries again after 500, 502, 503, 504, SlowDown and 429", async () => {
    for (const status of [500, 502, 503, 504, 429]) {
      origin.fail(GET, { status, code: status === 503 ? "SlowDown" : "InternalError", times: 2 });
      origin.fail({ op: "HeadObject" }, { status, times: 1 });
      origin.fail({ op: "ListObjectsV2" }, { status, times: 1 });
      assert.ok((await read()).equals(expected()), String(status));
      assert.equal((await ufs.head("k")).sizeBytes, SIZE);
      assert.equal((await ufs.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 10 })).objects.length, 1);
    }
  });

  it("tells of as many GETs and HEADs as the store has seen, repeated ones too", async () => {
    origin.fail(GET, { status: 503, code: "SlowDown", times: 2 });
    origin.truncate(GET, 1000, { times: 1 });
    origin.fail({ op: "HeadObject" }, { status: 500, times: 1 });
    assert.ok((await read()).equals(expected()));
    await ufs.head("k");
    const told = (op: string) => observations.filter((observation) => observation.op === op).length;
    assert.ok(origin.count(GET) >= 3);
    assert.equal(told("get"), origin.count(GET));
    assert.equal(told("head"), origin.count({ op: "HeadObject" }));
    assert.equal(told("head"), 2);
  });

  it("gives up after a bounded number of attempts, with the store's own words", async () => {
    origin.fail({}, { status: 503, code: "SlowDown", message: "Please reduce your request rate." });
    await assert.rejects(read(), failure("RL_UFS_UNAVAILABLE", /SlowDown: Please reduce your request rate/));
    assert.equal(origin.count(GET), MAX_ATTEMPTS);
    await assert.rejects(ufs.check(), failure("RL_UFS_UNAVAILABLE", /Please reduce/));
    origin.clearFaults();
    origin.fail({}, { status: 500, code: "InternalError", message: "We encountered an internal error." });
    await assert.rejects(ufs.head("k"), failure("RL_UFS_ERROR", /500/));
    await assert.rejects(read(), failure("RL_UFS_ERROR", /internal error/));
  });

  it("waits as long as Retry-After asks", async () => {
    origin.fail(GET, { status: 503, code: "SlowDown", headers: { "retry-after": "1" }, times: 1 });
    await read();
    const [first, second] = origin.requests;
    assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 990);
    assert.equal(parseRetryAfter("7"), 7000);
    assert.ok(backoffMs(1, 3_600_000) <= 10_000);
  });

  it("resumes a body that ends early or is reset where it stopped, with the same version", async () => {
    origin.truncate(GET, 1_234_567, { times: 1 });
    assert.ok((await read()).equals(expected()));
    assert.deepEqual(
      origin.requests.map((request) => request.range),
      [`bytes=0-${SIZE - 1}`, `bytes=1234567-${SIZE - 1}`],
    );
    origin.clearFaults();
    origin.reset(GET, 700_000, { times: 2 });
    assert.ok((await read()).equals(expected()));
    assert.equal(observations.at(-1)?.status, "ok");
    assert.equal(observations.at(-1)?.bytes, SIZE);
  });

  it("does not resume for ever: a store that always cuts is an error", async () => {
    origin.truncate(GET, 100_000);
    await assert.rejects(read(), failure("RL_UFS_ERROR", /ended after \d+ of 3000000 bytes.*"k".*"data"/));
    assert.equal(origin.count(GET), MAX_ATTEMPTS);
    assert.equal(observations.at(-1)?.status, "RL_UFS_ERROR");
  });

  it("takes silence before the response for a fault, and tries again", async () => {
    origin.stall(GET, Number.POSITIVE_INFINITY, { times: 1 });
    origin.stall({ op: "HeadObject" }, Number.POSITIVE_INFINITY, { times: 1 });
    origin.stall({ op: "ListObjectsV2" }, Number.POSITIVE_INFINITY, { times: 1 });
    await ufs.check();
    assert.ok((await read()).equals(expected()));
    assert.equal((await ufs.head("k")).version, version);
    origin.stall(GET, Number.POSITIVE_INFINITY);
    await assert.rejects(read(), failure("RL_UFS_TIMEOUT", /"k".*"data" at http:\/\/127/));
  });

  it("takes silence within a body for a fault, and resumes", async () => {
    origin.stall(GET, Number.POSITIVE_INFINITY, { afterBytes: 2_000_000, times: 1 });
    assert.ok((await read()).equals(expected()));
    origin.clearFaults();
    origin.stall(GET, Number.POSITIVE_INFINITY, { afterBytes: 10 });
    await assert.rejects(read(), failure("RL_UFS_TIMEOUT", /silence after/));
  });

  it("bears a slow store and a slow reader", async () => {
    origin.slow(GET, 20_000_000, { times: 1 });
    assert.ok((await read()).equals(expected()));
    const pieces: Uint8Array[] = [];
    const beganMs = performance.now();
    for await (const piece of (await ufs.read("k", version, WHOLE)).stream) {
      pieces.push(piece);
      // Longer than the stall timeout once: silence of the reader is not that of the store.
      if (pieces.length === 1) await waitFor(() => performance.now() - beganMs > 400);
    }
    assert.ok(Buffer.concat(pieces).equals(expected()));
    assert.equal(origin.count(GET), 2);
  });

  it("bounds head, list and check as a whole", async () => {
    const hasty = await open(origin.endpoint, { timeoutMs: 100 });
    origin.stall({}, Number.POSITIVE_INFINITY);
    await assert.rejects(hasty.head("k"), failure("RL_UFS_TIMEOUT", /100 ms/));
    await assert.rejects(hasty.check(), failure("RL_UFS_TIMEOUT"));
    await assert.rejects(read(hasty), failure("RL_UFS_TIMEOUT"));
    await hasty.close();
  });

  it("notices a change before the first byte", async () => {
    origin.putObject("data", "k", { sizeBytes: SIZE, seed: 6 });
    await assert.rejects(read(), failure("RL_VERSION_CHANGED"));
  });

  it("notices a change in mid-read: what was begun ends with the old bytes or with an error, never with others", async () => {
    const old = expected();
    origin.changeDuring(GET, 1_000_000, { sizeBytes: SIZE, seed: 6 });
    assert.ok((await read()).equals(old));
    await assert.rejects(read(), failure("RL_VERSION_CHANGED"));
    origin.putObject("data", "k", { sizeBytes: SIZE, seed: 5 });
    origin.changeDuring(GET, 1_000_000, { sizeBytes: SIZE, seed: 6 }, { cut: true });
    const got: Uint8Array[] = [];
    await assert.rejects(async () => {
      for await (const piece of (await ufs.read("k", version, WHOLE)).stream) got.push(piece);
    }, failure("RL_VERSION_CHANGED"));
    const bytes = Buffer.concat(got);
    assert.equal(bytes.length, 1_000_000);
    assert.ok(bytes.equals(old.subarray(0, bytes.length)));
  });

  it("notices a deletion in mid-read", async () => {
    origin.truncate(GET, 500_000, { times: 1 });
    const { stream } = await ufs.read("k", version, WHOLE);
    await assert.rejects(
      async () => {
        for await (const _piece of stream) origin.deleteObject("data", "k");
      },
      failure("RL_VERSION_CHANGED", /deleted/),
    );
    await assert.rejects(ufs.head("k"), failure("RL_NOT_FOUND"));
  });

  it("believes no response that is not what was asked for", async () => {
    const etag = version;
    const answers: Record<string, (response: import("node:http").ServerResponse) => void> = {
      "the store ignored the range": (response) => {
        response.writeHead(200, { etag, "content-length": 100 }).end(Buffer.alloc(100));
      },
      "sent another range": (response) => {
        response
          .writeHead(206, { etag, "content-range": "bytes 11-20/100", "content-length": 10 })
          .end(Buffer.alloc(10));
      },
      "no Content-Range": (response) => {
        response.writeHead(206, { etag, "content-length": 10 }).end(Buffer.alloc(10));
      },
      "no ETag": (response) => {
        response.writeHead(206, { "content-range": "bytes 10-19/100", "content-length": 10 }).end(Buffer.alloc(10));
      },
      contradicts: (response) => {
        response.writeHead(206, { etag, "content-range": "bytes 10-19/100", "content-length": 9 }).end(Buffer.alloc(9));
      },
      "more bytes came": (response) => {
        response.writeHead(206, { etag, "content-range": "bytes 10-19/100" });
        response.end(Buffer.alloc(11));
      },
    };
    let answer = answers["no ETag"];
    const server = createServer((_request, response) => answer?.(response));
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const liar = await open(`http://127.0.0.1:${port}`);
    for (const [words, lie] of Object.entries(answers)) {
      answer = lie;
      await assert.rejects(read(liar, { start: 10, end: 19 }), failure("RL_UFS_ERROR", new RegExp(words)), words);
    }
    answer = (response) => {
      response.writeHead(206, { etag: '"other"', "content-range": "bytes 10-19/100", "content-length": 10 });
      response.end(Buffer.alloc(10));
    };
    await assert.rejects(read(liar, { start: 10, end: 19 }), failure("RL_VERSION_CHANGED"));
    await liar.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("accepts a whole object without a range, and a body without a length", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/data/whole") response.writeHead(200, { etag: version, "content-length": 3 });
      else response.writeHead(206, { etag: version, "content-range": "bytes 0-2/3" });
      response.end("abc");
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const store = await open(`http://127.0.0.1:${port}`);
    for (const key of ["whole", "chunked"]) {
      const body = await store.read(key, version, { start: 0, end: 2 });
      assert.equal(body.meta.sizeBytes, 3);
      assert.equal((await collect(body.stream)).toString(), "abc");
    }
    await store.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("says what a store refuses, naming endpoint and bucket and remedy, and no secret", async () => {
    const env = { T_ACCESS_KEY_ID: origin.accessKeyId, T_SECRET_ACCESS_KEY: "very-secret-indeed" };
    const stranger = await open(origin.endpoint, { env });
    const texts: string[] = [];
    for (const call of [() => stranger.check(), () => stranger.head("k"), () => read(stranger)]) {
      await assert.rejects(call(), (error: Error) => {
        texts.push(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`);
        return failure("RL_UFS_DENIED", /"data" at http:\/\/127\.0\.0\.1:\d+.*check the pair/)(error);
      });
    }
    assert.match(texts[0] ?? "", /SignatureDoesNotMatch/);
    assert.match(texts[2] ?? "", /SignatureDoesNotMatch/);
    for (const text of [...texts, stranger.uri]) assert.ok(!text.includes("very-secret-indeed"));
    await stranger.close();
    const nobody = await openUfs({
      uri: "s3://data",
      options: { endpoint: origin.endpoint },
      credentials: { kind: "anonymous" },
    });
    await assert.rejects(nobody.check(), failure("RL_UFS_DENIED", /anonymous access/));
    await assert.rejects(read(nobody), failure("RL_UFS_DENIED", /anonymous access/));
    await nobody.close();
  });

  it("says that a bucket does not exist, and how to mend it", async () => {
    const lost = await openUfs(
      { uri: "s3://no-such-bucket", options: { endpoint: origin.endpoint }, credentials: { kind: "env", prefix: "T" } },
      { env: { T_ACCESS_KEY_ID: origin.accessKeyId, T_SECRET_ACCESS_KEY: origin.secretAccessKey } },
    );
    const text = /bucket "no-such-bucket" does not exist at http.*make it, or correct/;
    await assert.rejects(lost.check(), failure("RL_UFS_ERROR", text));
    await assert.rejects(lost.read("k", '"v"', { start: 0, end: 0 }), failure("RL_UFS_ERROR", text));
    await lost.close();
  });

  it("names the endpoint that refuses connections or does not exist", async () => {
    const refused = await open(`http://127.0.0.1:${await freePort()}`);
    for (const call of [() => refused.check(), () => refused.head("k"), () => read(refused)]) {
      await assert.rejects(call(), failure("RL_UFS_UNAVAILABLE", /http:\/\/127\.0\.0\.1:\d+.*connection refused/));
    }
    await refused.close();
    const unknown = await open("http://no-such-host.invalid:9000");
    await assert.rejects(unknown.head("k"), failure("RL_UFS_UNAVAILABLE", /no-such-host\.invalid:9000/));
    await assert.rejects(unknown.check(), failure("RL_UFS_UNAVAILABLE", /no-such-host\.invalid:9000/));
    await unknown.close();
  });

  it("outlives connections that are cut and servers that come back", async () => {
    const proxy = await startFaultProxy(origin.endpoint);
    const store = await open(proxy.endpoint, { stallTimeoutMs: 150 });
    assert.ok((await read(store)).equals(expected()));
    for (const disturb of [() => proxy.cut(), () => proxy.reset()]) {
      disturb();
      assert.ok((await read(store)).equals(expected()));
    }
    await proxy.refuse();
    await assert.rejects(store.head("k"), failure("RL_UFS_UNAVAILABLE"));
    await proxy.restore();
    assert.equal((await store.head("k")).version, version);
    proxy.stall();
    await assert.rejects(store.head("k"), failure("RL_UFS_TIMEOUT"));
    await proxy.restore();
    assert.ok((await read(store)).equals(expected()));
    await store.close();
    await proxy.close();
  });

  it("keeps to its connections, and refuses when the queue is full", async () => {
    const proxy = await startFaultProxy(origin.endpoint);
    const store = await open(proxy.endpoint, { maxConnections: 2, maxQueued: 3 });
    origin.latency(30);
    const calls = Array.from({ length: 6 }, () =>
      store.head("k").then(
        () => "ok",
        (error: { code: string }) => error.code,
      ),
    );
    assert.deepEqual((await Promise.all(calls)).sort(), ["RL_OVERLOADED", "ok", "ok", "ok", "ok", "ok"]);
    assert.ok(proxy.connections <= 2);
    assert.ok((await read(store)).equals(expected()));
    await store.close();
    await proxy.close();
  });

  it("uses connections again after whole reads", async () => {
    const proxy = await startFaultProxy(origin.endpoint);
    const store = await open(proxy.endpoint);
    for (let round = 0; round < 20; round++) await read(store, { start: round, end: round + 100_000 });
    assert.equal(proxy.connections, 1);
    await store.close();
    await proxy.close();
  });

  it("names the region in which a bucket is", async () => {
    origin.fail({}, { status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "eu-west-3" } });
    for (const call of [() => ufs.check(), () => ufs.head("k"), () => read()]) {
      await assert.rejects(call(), failure("RL_UFS_ERROR", /region=eu-west-3/));
    }
  });
});

describe("the metadata of an s3:// object", () => {
  it("is complete", async () => {
    const origin = await startS3Origin();
    origin.putObject("data", "k", "bytes", {
      contentType: "text/csv",
      userMetadata: { Colour: "red", empty: "" },
      modifiedMs: Date.parse("2026-02-03T04:05:06Z"),
      headers: {
        "cache-control": "max-age=60",
        "content-encoding": "gzip",
        "content-disposition": 'attachment; filename="x"',
        "content-language": "de",
        expires: "Thu, 01 Dec 2033 16:00:00 GMT",
        "x-amz-storage-class": "GLACIER_IR",
      },
    });
    const mount = {
      uri: "s3://data",
      options: { endpoint: origin.endpoint },
      credentials: { kind: "anonymous" },
    } as const;
    const ufs = await openUfs(mount);
    const etag = '"4b3a6218bb3e3a7303e8a171a60fcf92"';
    assert.deepEqual(await ufs.head("k"), {
      sizeBytes: 5,
      version: etag,
      etag,
      modifiedMs: Date.parse("2026-02-03T04:05:06Z"),
      contentType: "text/csv",
      contentEncoding: "gzip",
      contentDisposition: 'attachment; filename="x"',
      contentLanguage: "de",
      cacheControl: "max-age=60",
      expires: "Thu, 01 Dec 2033 16:00:00 GMT",
      storageClass: "GLACIER_IR",
      userMetadata: { colour: "red", empty: "" },
    });
    const page = await ufs.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 1 });
    assert.equal(page.objects[0]?.storageClass, "GLACIER_IR");
    await ufs.close();
    await origin.close();
  });

  it("a million keys are listed page by page, and a common prefix of them is skipped in one request", async () => {
    const origin = await startS3Origin();
    origin.synthesize("million", { prefix: "k/", count: 1_000_000, keysPerDirectory: 500_000 });
    const mount = {
      uri: "s3://million",
      options: { endpoint: origin.endpoint },
      credentials: { kind: "anonymous" },
    } as const;
    const ufs = await openUfs(mount);
    const first = await ufs.list({ prefix: "k/", delimiter: "/", startAfter: "", maxKeys: 1 });
    assert.deepEqual(first.commonPrefixes, ["k/000000/"]);
    const second = await ufs.list({ prefix: "k/", delimiter: "/", startAfter: first.nextStartAfter, maxKeys: 1 });
    assert.deepEqual(second.commonPrefixes, ["k/000001/"]);
    assert.equal(second.truncated, false);
    assert.equal(origin.count({ op: "ListObjectsV2" }), 2);
    const last = await ufs.list({ prefix: "k/", delimiter: "", startAfter: "k/000001/999997", maxKeys: 1000 });
    assert.deepEqual(
      last.objects.map((row) => row.key),
      ["k/000001/999998", "k/000001/999999"],
    );
    await ufs.close();
    await origin.close();
  });
});

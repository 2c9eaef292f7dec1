import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RinglightError } from "@ringlight/core";
import { ExportTraceServiceResponse } from "@ringlight/proto/otlp";
import { Database } from "./database.ts";
import { type ReceivedRequest, receive, signalOf } from "./receiver.ts";
import type { TraceStore } from "./trace-store.ts";

/** A store that answers as it is told. */
const storeThat = (ingest: TraceStore["ingest"]) => ({ ingest }) as unknown as TraceStore;
const takes = storeThat(async () => ({ accepted: 1, rejected: 0, message: "" }));
const fails = (code: ConstructorParameters<typeof RinglightError>[0]) =>
  storeThat(() => Promise.reject(new RinglightError(code, "why")));

async function* bodyOf(bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= 1024 * 1024) yield new Uint8Array(Math.min(left, 1024 * 1024));
}

function request(more: Partial<ReceivedRequest> = {}, headers: Record<string, string> = {}): ReceivedRequest {
  const all = { "content-type": "application/json", ...headers };
  return { method: "POST", signal: "traces", body: bodyOf(2), ...more, headers: all };
}

const wordsOf = (body: Uint8Array) => (JSON.parse(Buffer.from(body).toString()) as { message: string }).message;

test("what is not OTLP over HTTP is refused by its status, with words", async () => {
  const method = await receive(takes, request({ method: "GET" }));
  assert.deepEqual([method.status, method.headers.allow], [405, "POST"]);
  const type = await receive(takes, request({}, { "content-type": "text/plain" }));
  assert.equal(type.status, 415);
  assert.match(wordsOf(type.body), /content-type text\/plain: OTLP comes as/);
  const packed = await receive(takes, request({}, { "content-encoding": "br" }));
  assert.deepEqual([packed.status, packed.headers["accept-encoding"]], [415, "gzip"]);
  const large = await receive(takes, request({ body: bodyOf(17 * 1024 * 1024) }));
  assert.equal(large.status, 413);
  const told = await receive(takes, request({}, { "content-length": String(17 * 1024 * 1024) }));
  assert.deepEqual([told.status, told.headers.connection], [413, "close"]);
  assert.equal((await receive(fails("RL_BAD_REQUEST"), request())).status, 400);
});

test("a full store says when to come back, and a failing one that it is not the sender's fault", async () => {
  const full = await receive(fails("RL_OVERLOADED"), request());
  assert.deepEqual([full.status, full.headers["retry-after"]], [429, "1"]);
  const disk = await receive(fails("RL_DISK_FULL"), request());
  assert.deepEqual([disk.status, disk.headers["retry-after"]], [503, "5"]);
});

test("an answer is in the request's own format", async () => {
  const json = await receive(takes, request({}, { "content-type": "application/json; charset=utf-8" }));
  assert.deepEqual(
    [json.status, json.headers["content-type"], Buffer.from(json.body).toString()],
    [200, "application/json", "{}"],
  );
  const partial = storeThat(async () => ({ accepted: 1, rejected: 2, message: "no id" }));
  const protobuf = await receive(partial, request({}, { "content-type": "application/x-protobuf" }));
  assert.equal(protobuf.headers["content-type"], "application/x-protobuf");
  assert.equal(ExportTraceServiceResponse.decode(protobuf.body).partialSuccess?.rejectedSpans, 2);
});

test("a path is one of the receiver's three, or none", () => {
  assert.deepEqual(["/v1/traces", "/v1/metrics/", "/v1/logs", "/v1/profiles", "/v1/traces/x"].map(signalOf), [
    "traces",
    "metrics",
    "logs",
    undefined,
    undefined,
  ]);
});

test("a file that cannot grow fails the transaction wholly, stays readable, and takes more once there is room", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "full-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const db = new Database(directory, 1024 * 1024);
  context.after(() => db.close());
  const put = (id: number) =>
    db.statement("INSERT INTO fragment (seq, trace, body) VALUES (?, 0, ?)").run(id, new Uint8Array(100_000));
  const count = () => (db.statement("SELECT count(*) AS found FROM fragment").get() as { found: number }).found;
  let stored = 0;
  assert.throws(
    () => {
      for (; stored < 100; stored++) db.transaction(() => put(stored));
    },
    { code: "RL_DISK_FULL" },
  );
  assert.ok(stored > 3 && count() === stored);
  assert.throws(() => db.transaction(() => [put(1000), put(1001), put(1002)]), { code: "RL_DISK_FULL" });
  assert.equal(count(), stored, "nothing of a transaction that failed is there");
  db.transaction(() => db.statement("DELETE FROM fragment WHERE seq < 3").run());
  db.transaction(() => put(2000));
  assert.equal(count(), stored - 2);
});

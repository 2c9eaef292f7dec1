import assert from "node:assert/strict";
import { test } from "node:test";
import { type MissReason, newReadStatus, RinglightError, type Ufs, type WorkerRecord } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import type { ObjectReader, ReadContext } from "./object-reader.ts";
import { type PeerClient, PeerFailure } from "./peer-client.ts";
import { type FillSource, filledFrom } from "./peer-fill.ts";
import type { PeerRequest } from "./peer-wire.ts";
import type { RingKeeper } from "./ring-keeper.ts";
import { Router } from "./router.ts";

const BYTES = Buffer.from("0123456789");
const PINNED = { version: '"1"', sizeBytes: BYTES.length };

async function* bytesOf(start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at <= end; at++) yield BYTES.subarray(at, at + 1);
}

interface Asked {
  readonly of: string;
  readonly fillFrom: string | undefined;
  readonly coldReason: MissReason | undefined;
}

/** A router at worker `self`, over owners b, c and d, of which b calls every segment hot when told to. */
function routerAt(self: string) {
  const asked: Asked[] = [];
  const state = { hot: false, failing: new Set<string>(), inFlight: new Map<string, number>() };
  const records = new Map(["a", "b", "c", "d"].map((id) => [id, { id } as WorkerRecord]));
  const ring = {
    ring: { owners: (_key: string, count: number) => ["b", "c", "d"].slice(0, count), epoch: 1 },
    view: { workers: records },
    worker: (id: string) => records.get(id),
    movedTo: () => false,
    handOverFrom: () => undefined,
  } as unknown as RingKeeper;
  const peers = {
    recentlyHeard: () => undefined,
    inFlight: (id: string) => state.inFlight.get(id) ?? 0,
    read: async (peer: WorkerRecord, _mount: string, _key: string, ask: PeerRequest) => {
      asked.push({ of: peer.id, fillFrom: ask.fillFrom, coldReason: ask.coldReason });
      if (state.failing.has(peer.id)) throw new PeerFailure(peer.id, "gone");
      const { start, end } = ask.pinned?.range ?? { start: 0, end: BYTES.length - 1 };
      return { answer: { outcome: "ok", hot: state.hot && peer.id === "b" }, body: bytesOf(start, end) };
    },
  } as unknown as PeerClient;
  const objects = {
    openPinned: async (
      _mount: string,
      _key: string,
      _pinned: unknown,
      range: { start: number; end: number },
      context: ReadContext,
    ) => {
      asked.push({ of: self, fillFrom: context.fillFrom, coldReason: context.coldReason });
      return bytesOf(range.start, range.end);
    },
  } as unknown as ObjectReader;
  const clock = new FakeClock();
  const router = new Router({
    workerId: self,
    ring,
    objects,
    peers,
    clock,
    segmentBytes: 1024,
    replicasOf: () => 1,
    onRelayed: () => undefined,
    onFallback: () => undefined,
  });
  const read = async () => {
    asked.length = 0;
    const context = { signal: new AbortController().signal, status: newReadStatus(), traceId: "", traceparent: "" };
    const chunks: Uint8Array[] = [];
    for await (const chunk of router.openPinned("m", "k", PINNED, { start: 0, end: 9 }, context)) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), BYTES.toString());
    return [...asked];
  };
  return { state, read, clock };
}

test("a segment is asked of its first owner, and of the next where that one fails", async () => {
  const { state, read } = routerAt("a");
  assert.deepEqual(await read(), [{ of: "b", fillFrom: undefined, coldReason: undefined }]);
  state.failing.add("b");
  assert.deepEqual(
    (await read()).map(({ of, coldReason }) => [of, coldReason]),
    [
      ["b", undefined],
      ["c", "owner_down"],
    ],
  );
});

test("a hot segment is spread over three owners, the less busy of two, which fill from the first", async () => {
  const { state, read, clock } = routerAt("a");
  state.hot = true;
  await read();
  state.hot = false;
  state.inFlight.set("b", 9).set("c", 5);
  const seen = new Map<string, number>();
  for (let times = 0; times < 200; times++) {
    const [first] = await read();
    assert.ok(first);
    assert.equal(first.fillFrom, first.of === "b" ? undefined : "b");
    assert.equal(first.coldReason, undefined);
    seen.set(first.of, (seen.get(first.of) ?? 0) + 1);
  }
  // The busiest of three is never the less busy of two; the idlest always is.
  assert.equal(seen.get("b"), undefined);
  assert.ok((seen.get("c") ?? 0) > 20 && (seen.get("d") ?? 0) > 80, JSON.stringify([...seen]));
  await clock.advance(10_000);
  assert.equal((await read())[0]?.of, "b");
});

test("a worker that is among a hot segment's owners answers from its own pages", async () => {
  const { state, read } = routerAt("c");
  state.hot = true;
  await read();
  assert.deepEqual(await read(), [{ of: "c", fillFrom: "b", coldReason: undefined }]);
});

test("a replica fills from the owner, and from the UFS what the owner does not deliver", async () => {
  const reads: unknown[] = [];
  const ufs = {
    uri: "s3://b",
    read: async (_key: string, version: string, range: { start: number; end: number }) => {
      reads.push([version, range]);
      return { meta: PINNED, stream: bytesOf(range.start, range.end) };
    },
  } as unknown as Ufs;
  const collect = async (source: FillSource) => {
    const { stream } = await filledFrom(ufs, 10, source).read("k", '"1"', { start: 2, end: 8 });
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  assert.equal(await collect(async (_pinned, { start, end }) => bytesOf(start, end)), "2345678");
  assert.deepEqual(reads, []);
  const broken: FillSource = async function* (this: void, _pinned: unknown, range: { start: number }) {
    yield* bytesOf(range.start, range.start + 2);
    throw new PeerFailure("b", "broke off");
  } as unknown as FillSource;
  assert.equal(await collect(broken), "2345678");
  assert.deepEqual(reads, [['"1"', { start: 5, end: 8 }]]);
  const changed: FillSource = async () => {
    throw new RinglightError("RL_VERSION_CHANGED", "the object has changed");
  };
  await assert.rejects(collect(changed), { code: "RL_VERSION_CHANGED" });
});

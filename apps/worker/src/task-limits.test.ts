import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@ringlight/testing";
import { LimitTable, RateLimiter, Turnstile } from "./task-limits.ts";

const MIB = 1024 * 1024;

/** Takers in a loop, as many as there are streams; counts what they took. */
function takers(limiter: RateLimiter, count: number, bytes: number, signal: AbortSignal): { taken: number } {
  const state = { taken: 0 };
  const loop = async () => {
    for (;;) {
      await limiter.take(bytes, signal);
      state.taken += bytes;
      await new Promise(setImmediate);
    }
  };
  for (let index = 0; index < count; index++) loop().catch(() => undefined);
  return state;
}

test("a rate is kept over time by any number of takers, whatever the size of their pieces", async () => {
  for (const piece of [1000, MIB, 5 * MIB]) {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock);
    limiter.setRate(10 * MIB);
    const end = new AbortController();
    const state = takers(limiter, 8, piece, end.signal);
    for (let step = 0; step < 1000; step++) await clock.advance(20);
    end.abort();
    const share = state.taken / (20 * 10 * MIB);
    // A thousand bytes a turn of the event loop are less than the rate; the others meet it but for one piece.
    assert.ok(share <= 1 + piece / (200 * MIB) + 0.01, `${piece}: ${share}`);
    if (piece > 1000) assert.ok(share >= 0.95, `${piece}: ${share}`);
  }
});

test("a new rate holds from then on, and none at all stops everybody", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock);
  limiter.setRate(100 * MIB);
  const end = new AbortController();
  const state = takers(limiter, 4, MIB, end.signal);
  for (let step = 0; step < 200; step++) await clock.advance(10);
  const before = state.taken;
  limiter.setRate(0);
  for (let step = 0; step < 100; step++) await clock.advance(100);
  assert.ok(state.taken - before <= MIB, "one piece was on its way");
  const stopped = state.taken;
  limiter.setRate(MIB);
  for (let step = 0; step < 100; step++) await clock.advance(100);
  assert.ok(Math.abs(state.taken - stopped - 10 * MIB) <= 2 * MIB, `${(state.taken - stopped) / MIB} MiB in 10 s`);
  end.abort();
});

test("nothing is saved up over a pause but a tenth of a second", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock);
  limiter.setRate(10 * MIB);
  await clock.advance(60_000);
  const end = new AbortController();
  const state = takers(limiter, 1, MIB / 8, end.signal);
  await clock.advance(0);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  assert.ok(state.taken <= 1.2 * MIB, `${state.taken} at once`);
  end.abort();
});

test("a taker that leaves the line lets the next one through", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock);
  limiter.setRate(1000);
  const never = new AbortController().signal;
  const leaving = new AbortController();
  await clock.advance(10);
  await limiter.take(2000, never);
  const left = assert.rejects(limiter.take(1, leaving.signal), /gone/);
  let through = false;
  const next = limiter.take(1, never).then(() => {
    through = true;
  });
  leaving.abort(new Error("gone"));
  await left;
  await clock.advance(1500);
  assert.equal(through, false);
  await clock.advance(1000);
  assert.equal(through, true);
  await next;
});

test("a turnstile lets so many in at once, and more when its limit is raised", async () => {
  const turnstile = new Turnstile(2);
  const ends: (() => void)[] = [];
  let inside = 0;
  const runs = Array.from({ length: 5 }, () =>
    turnstile.run(async () => {
      inside++;
      await new Promise<void>((resolve) => ends.push(resolve));
      inside--;
    }),
  );
  await new Promise(setImmediate);
  assert.equal(inside, 2);
  turnstile.limit = 4;
  await new Promise(setImmediate);
  assert.equal(inside, 4);
  while (ends.length > 0 || inside > 0) {
    ends.shift()?.();
    await new Promise(setImmediate);
  }
  await Promise.all(runs);
});

test("the tasks of a job share its limits, which go with the last of them", () => {
  const table = new LimitTable(new FakeClock());
  const settings = { bytesPerSecond: 0, concurrency: 3 };
  const limits = table.enter("a", settings);
  assert.equal(table.enter("a", { bytesPerSecond: 0, concurrency: 0 }), limits);
  assert.equal(limits.transfers.limit, 3);
  assert.equal(table.set("a", { bytesPerSecond: 0, concurrency: 7 }), true);
  assert.equal(limits.transfers.limit, 7);
  table.leave("a");
  table.leave("a");
  assert.equal(table.set("a", settings), false);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { abortSignalOf, Stop, type StopSignal, stopOf } from "./stop.ts";

/** What a listener, and who asks, sees of a signal that is stopped twice. */
function seenOf(signal: StopSignal, stop: (reason: unknown) => void): unknown[] {
  const seen: unknown[] = [signal.aborted, signal.reason];
  const kept = () => seen.push("kept", signal.aborted, signal.reason);
  const gone = () => seen.push("gone");
  signal.addEventListener("abort", kept, { once: true });
  signal.addEventListener("abort", kept, { once: true });
  signal.addEventListener("abort", gone, { once: true });
  signal.addEventListener("abort", () => seen.push("another"), { once: true });
  signal.removeEventListener("abort", gone);
  signal.removeEventListener("abort", () => undefined);
  signal.throwIfAborted();
  stop("first");
  stop("second");
  signal.addEventListener("abort", () => seen.push("late"), { once: true });
  assert.throws(
    () => signal.throwIfAborted(),
    (reason) => reason === "first",
  );
  seen.push(signal.aborted, signal.reason);
  return seen;
}

test("a stop is seen as an abort of an AbortController", () => {
  const stop = new Stop();
  const controller = new AbortController();
  assert.deepEqual(
    seenOf(stop, (reason) => stop.abort(reason)),
    seenOf(controller.signal, (reason) => controller.abort(reason)),
  );
});

test("a stop's AbortSignal follows it, and an AbortSignal is its own", () => {
  const stop = new Stop();
  const signal = abortSignalOf(stop);
  assert.equal(signal.aborted, false);
  stop.abort("why");
  assert.deepEqual([signal.aborted, signal.reason], [true, "why"]);
  assert.deepEqual([abortSignalOf(stop).aborted, abortSignalOf(stop).reason], [true, "why"]);
  assert.equal(abortSignalOf(signal), signal);
});

test("a signal has one stop, which ends with it", () => {
  const controller = new AbortController();
  const stop = stopOf(controller.signal);
  assert.equal(stopOf(controller.signal), stop);
  let told = 0;
  const listener = () => void told++;
  for (let count = 0; count < 10; count++) stop.addEventListener("abort", () => void told++);
  stop.addEventListener("abort", listener);
  stop.removeEventListener("abort", listener);
  controller.abort("why");
  assert.deepEqual([stop.aborted, stop.reason, told], [true, "why", 10]);
  assert.equal(stopOf(controller.signal).aborted, true);
  assert.equal(stopOf(AbortSignal.abort("before")).reason, "before");
});

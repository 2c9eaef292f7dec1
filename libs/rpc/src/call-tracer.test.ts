import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallTracer, callTracer, traceCalls } from "./call-tracer.ts";

test("the tracer is that of all copies of the module in a process, as bundlers make them", async (context) => {
  // Another URL is another module.
  const copy = (await import(`${import.meta.resolve("./call-tracer.ts")}?copy`)) as typeof import("./call-tracer.ts");
  const span = { traceparent: "", headers: () => ({}), run: <T>(work: () => T) => work(), end: () => undefined };
  const tracer: CallTracer = { client: () => span, server: () => span };
  context.after(() => traceCalls(undefined));
  assert.notEqual(copy.traceCalls, traceCalls);
  traceCalls(tracer);
  assert.equal(copy.callTracer(), tracer);
  copy.traceCalls(undefined);
  assert.equal(callTracer(), undefined);
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StopRequest } from "./stop-request.ts";

describe("StopRequest", () => {
  it("does not take an inherited variable for its parent", async () => {
    const request = new StopRequest(Date.now, "1");
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(request.requested, false);
    request.close();
  });

  it("counts a burst of signals as one request, and a later one as the second", () => {
    let now = 0;
    const request = new StopRequest(() => now, undefined);
    let second = 0;
    request.onSecond(() => second++);
    try {
      assert.equal(request.requested, false);
      process.emit("SIGINT");
      now = 300;
      process.emit("SIGINT");
      process.emit("SIGTERM");
      assert.equal(request.requested, true);
      assert.equal(request.signal.aborted, true);
      assert.equal(second, 0);
      now = 2_000;
      process.emit("SIGINT");
      assert.equal(second, 1);
    } finally {
      request.close();
    }
    assert.equal(process.listenerCount("SIGINT"), 0);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUpOptions } from "./options.ts";

describe("parseUpOptions", () => {
  it("has defaults for everything", () => {
    const options = parseUpOptions({});
    assert.equal(options.workers, 3);
    assert.equal(options.memBytes, undefined);
    assert.equal(options.restartAfterMs, 15_000);
    assert.equal(options.absence, "2m");
    assert.ok(options.demoTraffic && options.console);
    assert.match(options.dataDir, /\.ringlight$/);
  });

  it("reads sizes, ports, mounts and switches", () => {
    const options = parseUpOptions({
      workers: "2",
      mem: "64MiB",
      ssd: "1GB",
      mount: ["/abc=file:///srv", "/xyz=s3://b,read-only"],
      portOffset: "500",
      consolePort: "8000",
      restart: false,
      demoTraffic: false,
      console: true,
      leaseTtl: "2s",
    });
    assert.deepEqual([options.memBytes, options.ssdBytes], [64 * 1024 ** 2, 1e9]);
    assert.deepEqual(
      options.mounts.map(({ name }) => name),
      ["abc", "xyz"],
    );
    assert.equal(options.ports.console, 8000);
    assert.equal(options.ports.s3, 30_498);
    assert.equal(options.restartAfterMs, undefined);
    assert.equal(options.demoTraffic, false);
  });

  it("restarts after three leases unless told otherwise", () => {
    assert.equal(parseUpOptions({ leaseTtl: "2s" }).restartAfterMs, 6000);
    assert.equal(parseUpOptions({ restartAfter: "1s" }).restartAfterMs, 1000);
  });

  it("refuses bad values, naming the option", () => {
    assert.throws(() => parseUpOptions({ workers: "0" }), /--workers 0 is not a whole number from 1 to 26/);
    assert.throws(() => parseUpOptions({ workers: "many" }), /--workers many/);
    assert.throws(() => parseUpOptions({ mem: "lots" }), /lots/);
    assert.throws(() => parseUpOptions({ absence: "2" }), /is not a duration/);
    assert.throws(() => parseUpOptions({ s3Port: "99999" }), /--s3-port 99999/);
    assert.throws(() => parseUpOptions({ mount: ["/abc=s3://a", "/abc=s3://b"] }), /names \/abc twice/);
  });
});

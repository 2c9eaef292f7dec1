import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { checkPorts, listenerOf, type PortPlan, planPorts, portsOf } from "./ports.ts";

const WISHES = { workers: 3, offset: 0, ownRegistry: true, console: true };

function onePort(port: number): PortPlan {
  return { offset: 0, registry: 0, scheduler: 0, schedulerRest: 0, console: port, s3: 0, workers: [] };
}

describe("planPorts", () => {
  it("starts from the default ports and puts workers 100 apart", () => {
    const plan = planPorts(WISHES);
    assert.deepEqual([plan.registry, plan.scheduler, plan.console, plan.s3], [19_997, 19_998, 19_999, 29_998]);
    assert.deepEqual(plan.workers, [
      { s3: 30_098, grpc: 29_999, rest: 28_080 },
      { s3: 30_198, grpc: 30_099, rest: 28_180 },
      { s3: 30_298, grpc: 30_199, rest: 28_280 },
    ]);
  });

  it("never gives one port to two, whatever the number of workers", () => {
    for (const workers of [1, 2, 10, 26]) {
      const ports = portsOf(planPorts({ ...WISHES, workers })).map(({ port }) => port);
      assert.equal(new Set(ports).size, ports.length);
    }
  });

  it("moves all by the offset, except those that are set", () => {
    const plan = planPorts({ ...WISHES, offset: 1000, consolePort: 8080 });
    assert.deepEqual([plan.console, plan.s3, plan.workers[0]?.grpc], [8080, 30_998, 30_999]);
  });

  it("leaves out what is not started", () => {
    const purposes = portsOf(planPorts({ ...WISHES, ownRegistry: false, console: false })).map(
      ({ purpose }) => purpose,
    );
    assert.ok(!purposes.includes("the registry") && !purposes.includes("the console"));
  });

  it("refuses a port that is wanted twice", () => {
    assert.throws(
      () => planPorts({ ...WISHES, consolePort: 29_999 }),
      /29999 is wanted for the console and for worker 1/,
    );
  });
});

describe("checkPorts", () => {
  it("names the port in use, its process and the remedy", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await assert.rejects(checkPorts(onePort(port), "127.0.0.1"), (error) => {
        assert.ok(isRinglightError(error, "RL_PORT_IN_USE"));
        assert.match(error.message, new RegExp(`port ${port} for the console is in use by process ${process.pid} `));
        assert.match(error.message, /--console-port PORT or --port-offset 1000/);
        return true;
      });
    } finally {
      server.close();
    }
  });

  it("counts a port that is shared by SO_REUSEPORT as taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1", reusePort: true }, resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await assert.rejects(checkPorts(onePort(port), "127.0.0.1"), /in use/);
    } finally {
      server.close();
    }
  });

  it("leaves free ports free", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await checkPorts(onePort(port), "127.0.0.1");
    await checkPorts(onePort(port), "127.0.0.1");
    assert.equal(listenerOf(port), undefined);
  });
});

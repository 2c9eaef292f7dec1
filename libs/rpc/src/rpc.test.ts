/** Calls over our server and client and over grpc-js. Long, because every way to call is held against what the same few helpers start. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Client, makeGenericClientConstructor } from "@grpc/grpc-js";
import { isRinglightError, RinglightError } from "@ringlight/core";
import {
  ObjectInfo,
  ReadRequest,
  ReadResponse,
  WorkerServiceClient,
  type WorkerServiceServer,
  WorkerServiceService,
  WorkerStats,
} from "@ringlight/proto";
import { healthDefinition } from "./health.ts";
import {
  addressOf,
  type CallContext,
  ClientPool,
  callStream,
  callUnary,
  connectGrpc,
  type GrpcServerOptions,
  type ServedCall,
  serverStream,
  startGrpcServer,
  unary,
} from "./index.ts";

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

/** Waits for a condition, with a deadline instead of a fixed sleep. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > endMs) assert.fail(`never: ${what}`);
    await turn();
  }
}

async function serve(implementation: Partial<WorkerServiceServer>, options: Partial<GrpcServerOptions> = {}) {
  const services = [[WorkerServiceService, implementation as WorkerServiceServer]] as const;
  const server = await startGrpcServer({ bind: "127.0.0.1", port: 0, services, ...options });
  closers.push(() => server.close(0));
  return server;
}

function connect(port: number, options: Parameters<typeof connectGrpc>[2] = {}) {
  const client = connectGrpc(WorkerServiceClient, `127.0.0.1:${port}`, options);
  closers.push(() => client.close());
  return client;
}

async function fails(promise: Promise<unknown>, code: string, ...parts: string[]): Promise<RinglightError> {
  const error = await promise.then(
    () => assert.fail("should have failed"),
    (reason: unknown) => reason,
  );
  assert.ok(isRinglightError(error), String(error));
  assert.equal(error.code, code, error.message);
  for (const part of parts) assert.ok(error.message.includes(part), `"${error.message}" should say "${part}"`);
  return error;
}

async function drain<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

const stat = unary(async (request: { path: string }) => ObjectInfo.create({ path: request.path, sizeBytes: 7 }));

describe("unary calls", () => {
  it("carry request, response, trace context, metadata and deadline", async () => {
    let seen: CallContext | undefined;
    const server = await serve({
      stat: unary(async (request, context) => {
        seen = context;
        return ObjectInfo.create({ path: request.path, sizeBytes: 2 ** 40 });
      }),
    });
    const client = connect(server.port);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const info = await callUnary(
      client,
      "stat",
      { path: "/m/ü" },
      { deadlineMs: 4000, traceparent, metadata: { "rl-epoch": "7" } },
    );
    assert.equal(info.path, "/m/ü");
    assert.equal(info.sizeBytes, 2 ** 40);
    assert.equal(seen?.traceparent, traceparent);
    assert.deepEqual(seen?.metadata.get("rl-epoch"), ["7"]);
    assert.ok(Math.abs((seen?.deadlineMs ?? 0) - Date.now() - 4000) < 2000);
    assert.equal(addressOf(client), `127.0.0.1:${server.port}`);
  });

  it("bring a RinglightError back with its own code and words", async () => {
    const server = await serve({
      stat: unary(async () => {
        throw new RinglightError("RL_UFS_UNAVAILABLE", "the store s3://ä does not answer: 100 %");
      }),
    });
    const error = await fails(
      callUnary(connect(server.port), "stat", { path: "/m/k" }, { idempotent: true }),
      "RL_UFS_UNAVAILABLE",
    );
    assert.equal(error.message, "the store s3://ä does not answer: 100 %");
  });

  it("hide what a defect says from the caller, and log it", async () => {
    const lines: unknown[] = [];
    const log = { error: (message: string, fields?: Record<string, unknown>) => lines.push([message, fields]) };
    const server = await serve({ stat: unary(async () => Promise.reject(new TypeError("secret stack"))) }, { log });
    const error = await fails(callUnary(connect(server.port), "stat", { path: "/m/k" }), "RL_INTERNAL");
    assert.ok(!error.message.includes("secret"));
    assert.match(JSON.stringify(lines), /secret stack/);
  });

  it("end at the deadline, and the handler's signal aborts", async () => {
    let reason: unknown;
    const server = await serve({
      stat: unary(async (_, context) => {
        await once(context.signal, "abort");
        reason = context.signal.reason;
        throw context.signal.reason;
      }),
    });
    await fails(callUnary(connect(server.port), "stat", { path: "/m/k" }, { deadlineMs: 150 }), "RL_DEADLINE");
    await until(() => reason !== undefined, "the handler's signal aborts");
    assert.ok(isRinglightError(reason));
  });

  it("stop when the caller's signal aborts, before and during the call", async () => {
    let aborted = false;
    let started = false;
    const server = await serve({
      stat: unary(async (_, context) => {
        started = true;
        await once(context.signal, "abort");
        aborted = isRinglightError(context.signal.reason, "RL_CANCELLED");
        throw context.signal.reason;
      }),
    });
    const client = connect(server.port);
    await fails(callUnary(client, "stat", { path: "/m" }, { signal: AbortSignal.abort() }), "RL_CANCELLED");
    assert.equal(started, false);
    const controller = new AbortController();
    const call = callUnary(client, "stat", { path: "/m" }, { signal: controller.signal });
    await until(() => started, "the call starts");
    controller.abort();
    await fails(call, "RL_CANCELLED");
    await until(() => aborted, "the handler's signal aborts");
  });

  it("say that a method is not implemented", async () => {
    const server = await serve({ stat });
    await fails(callUnary(connect(server.port), "getCluster", {}), "RL_NOT_IMPLEMENTED");
  });
});

describe("retries", () => {
  it("reach an idempotent call's server that comes up a moment later, and no other call's", async () => {
    const probe = await serve({ stat });
    const { port } = probe;
    await probe.close(0);
    await fails(
      callUnary(connect(port), "stat", { path: "/a" }),
      "RL_NO_WORKERS",
      `127.0.0.1:${port}`,
      "does not answer",
    );
    await fails(
      callUnary(connect(port), "stat", { path: "/a" }, { unavailable: "RL_REGISTRY_UNAVAILABLE", idempotent: true }),
      "RL_REGISTRY_UNAVAILABLE",
    );
    const client = connect(port);
    await fails(callUnary(client, "stat", { path: "/a" }), "RL_NO_WORKERS");
    await serve({ stat }, { port });
    const endMs = Date.now() + 5000;
    for (;;) {
      const path = await callUnary(client, "stat", { path: "/a" }, { idempotent: true }).then(
        (info) => info.path,
        () => undefined,
      );
      if (path === "/a") break;
      assert.ok(Date.now() < endMs, "reconnects within the backoff");
    }
  });
});

describe("the token", () => {
  it("lets calls with it pass and refuses all others, except health checks", async () => {
    const calls: ServedCall[] = [];
    const server = await serve(
      {
        stat,
        watchStats: serverStream(async function* () {
          yield WorkerStats.create({});
        }),
      },
      { token: "s3cret", onCall: (call) => calls.push(call) },
    );
    assert.equal((await callUnary(connect(server.port, { token: "s3cret" }), "stat", { path: "/a" })).path, "/a");
    for (const token of [undefined, "s3cre", "s3cret2", ""]) {
      const client = connect(server.port, { token });
      const words = token ? "is not the cluster's" : "authorization: Bearer";
      await fails(callUnary(client, "stat", { path: "/a" }), "RL_UNAUTHENTICATED", words);
      await fails(drain(callStream(client, "watchStats", { intervalMs: 0 })), "RL_UNAUTHENTICATED");
    }
    assert.equal(
      (await drain(callStream(connect(server.port, { token: "s3cret" }), "watchStats", { intervalMs: 0 }))).length,
      1,
    );
    assert.equal(calls.filter((call) => call.code === "UNAUTHENTICATED").length, 8);

    type Check = (request: object, callback: (error: unknown, response: { status: number }) => void) => void;
    const Health = makeGenericClientConstructor(healthDefinition, "health");
    const health = connectGrpc(Health as unknown as new () => Client & { check: Check }, `127.0.0.1:${server.port}`);
    closers.push(() => health.close());
    const check = (service: string) =>
      new Promise((resolve) => health.check({ service }, (error, response) => resolve(error ?? response)));
    assert.deepEqual(await check(""), { status: 1 });
    assert.deepEqual(await check("ringlight.v1.WorkerService"), { status: 1 });
    assert.equal(((await check("nobody")) as { code: number }).code, 5);
  });
});

describe("streams", () => {
  const page = Buffer.alloc(256 * 1024, 7);

  it("bring every message in order, and tell the observer the bytes", async () => {
    const calls: ServedCall[] = [];
    const server = await serve(
      {
        read: serverStream(async function* (request) {
          for (let i = 0; i < request.length; i++) yield ReadResponse.create({ data: Buffer.from([i]) });
        }),
      },
      { onCall: (call) => calls.push(call) },
    );
    const got = await drain(callStream(connect(server.port), "read", ReadRequest.create({ length: 100 })));
    assert.deepEqual(
      got.map((message) => message.data[0]),
      Array.from({ length: 100 }, (_, i) => i),
    );
    await until(() => calls.length === 1, "the observer is told");
    assert.deepEqual(
      { ...calls[0], durationMs: 0, firstMessageMs: 0 },
      {
        method: "ringlight.v1.WorkerService/Read",
        code: "OK",
        durationMs: 0,
        firstMessageMs: 0,
        bytesOut: 300,
      },
    );
  });

  it("make the server wait for a slow reader, and end its generator when the reader leaves", async () => {
    let produced = 0;
    let ended = false;
    let aborted = false;
    const calls: ServedCall[] = [];
    const server = await serve(
      {
        read: serverStream(async function* (_, context) {
          context.signal.addEventListener("abort", () => {
            aborted = true;
          });
          try {
            for (;;) {
              produced++;
              yield ReadResponse.create({ data: page });
            }
          } finally {
            ended = true;
          }
        }),
      },
      { onCall: (call) => calls.push(call) },
    );
    for await (const message of callStream(connect(server.port), "read", ReadRequest.create())) {
      assert.equal(message.data.length, page.length);
      // Whatever fits into the windows and buffers between is produced; then the count stands still.
      let last = -1;
      for (let quiet = 0; quiet < 200; quiet = produced === last ? quiet + 1 : 0) {
        last = produced;
        await turn();
      }
      assert.ok(produced < 400, `${produced} messages were produced for a reader of one`);
      break;
    }
    await until(() => ended && aborted, "the generator ends and its signal aborts");
    await until(() => calls[0]?.code === "CANCELLED", "the observer is told");
  });

  it("bring an error after some messages, with its code", async () => {
    const server = await serve({
      read: serverStream(async function* () {
        yield ReadResponse.create({ data: page });
        throw new RinglightError("RL_VERSION_CHANGED", "it changed");
      }),
    });
    let messages = 0;
    const read = async () => {
      for await (const _ of callStream(connect(server.port), "read", ReadRequest.create())) messages++;
    };
    await fails(read(), "RL_VERSION_CHANGED", "it changed");
    assert.equal(messages, 1);
  });

  it("fail when nothing comes for too long, and when the caller aborts", async () => {
    const server = await serve({
      read: serverStream(async function* (_, context) {
        yield ReadResponse.create({ data: page });
        await once(context.signal, "abort");
      }),
    });
    const client = connect(server.port);
    await fails(
      drain(callStream(client, "read", ReadRequest.create(), { idleMs: 100 })),
      "RL_DEADLINE",
      "sent nothing",
    );
    await fails(drain(callStream(client, "read", ReadRequest.create(), { deadlineMs: 150 })), "RL_DEADLINE");
    const controller = new AbortController();
    const read = async () => {
      for await (const _ of callStream(client, "read", ReadRequest.create(), { signal: controller.signal }))
        controller.abort();
    };
    await fails(read(), "RL_CANCELLED");
  });

  it("fail as unavailable when the server is cut in the middle", async () => {
    const server = await serve({
      read: serverStream(async function* (_, context) {
        yield ReadResponse.create({ data: page });
        await once(context.signal, "abort");
      }),
    });
    const read = async () => {
      for await (const _ of callStream(connect(server.port), "read", ReadRequest.create())) void server.close(0);
    };
    await fails(read(), "RL_NO_WORKERS", "does not answer");
  });

  it("fail as unavailable when the server's process is killed in the middle, on the wire as in a crash", async () => {
    const source = `
      import { startGrpcServer, serverStream } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      import { ReadResponse, WorkerServiceService } from "@ringlight/proto";
      const read = serverStream(async function* () {
        for (;;) yield ReadResponse.create({ data: Buffer.alloc(65536) });
      });
      const server = await startGrpcServer({ bind: "127.0.0.1", port: 0, services: [[WorkerServiceService, { read }]] });
      console.log(server.port);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    closers.push(() => child.kill("SIGKILL"));
    const [port] = await once(child.stdout, "data", { signal: AbortSignal.timeout(15_000) });
    const client = connect(Number(port));
    let messages = 0;
    const read = async () => {
      for await (const _ of callStream(client, "read", ReadRequest.create()))
        if (++messages === 50) child.kill("SIGKILL");
    };
    await fails(read(), "RL_NO_WORKERS", "does not answer");
    await fails(callUnary(client, "stat", { path: "/a" }, { idempotent: true }), "RL_NO_WORKERS");
  });

  it("pass an error that the reader throws into the loop unchanged", async () => {
    const server = await serve({
      read: serverStream(async function* () {
        yield ReadResponse.create({ data: page });
      }),
    });
    const read = async () => {
      for await (const _ of callStream(connect(server.port), "read", ReadRequest.create()))
        throw new Error("the reader's own");
    };
    await assert.rejects(read(), /the reader's own/);
  });
});

describe("startGrpcServer", () => {
  it("names the port that is in use, and the remedy", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    await fails(serve({ stat }, { port }), "RL_PORT_IN_USE", `127.0.0.1:${port}`, "stop it");
    other.close();
  });

  it("refuses an address that the machine does not have", async () => {
    await fails(serve({ stat }, { bind: "192.0.2.1" }), "RL_BAD_CONFIG", "192.0.2.1");
  });

  it("lets running calls finish within the grace, and cuts what lasts longer", async () => {
    const gate = Promise.withResolvers<void>();
    let started = 0;
    const server = await serve({
      stat: unary(async (request) => {
        started++;
        if (request.path === "/slow") await gate.promise;
        else await new Promise(() => {});
        return ObjectInfo.create({ path: request.path });
      }),
    });
    const finishes = callUnary(connect(server.port), "stat", { path: "/slow" });
    const cut = fails(callUnary(connect(server.port), "stat", { path: "/never" }), "RL_NO_WORKERS");
    await until(() => started === 2, "both calls run");
    const closed = server.close(500);
    gate.resolve();
    assert.equal((await finishes).path, "/slow");
    await closed;
    await cut;
    await server.close();
  });

  it("leaves nothing behind that keeps a process alive", async () => {
    const source = `
      import { startGrpcServer, connectGrpc, callUnary, unary } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      import { ObjectInfo, WorkerServiceClient, WorkerServiceService } from "@ringlight/proto";
      const stat = unary(async () => ObjectInfo.create({}));
      const server = await startGrpcServer({ bind: "127.0.0.1", port: 0, services: [[WorkerServiceService, { stat }]] });
      const client = connectGrpc(WorkerServiceClient, "127.0.0.1:" + server.port);
      await callUnary(client, "stat", { path: "/a" });
      client.close();
      await server.close();
      console.log("closed");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    closers.push(() => child.kill("SIGKILL"));
    const [code] = await once(child, "exit", { signal: AbortSignal.timeout(15_000) });
    assert.equal(code, 0);
  });
});

describe("ClientPool", () => {
  it("keeps one client an address, drops others, and closes", async () => {
    const server = await serve({ stat });
    const pool = new ClientPool(WorkerServiceClient);
    const address = `127.0.0.1:${server.port}`;
    const client = pool.get(address);
    assert.equal(pool.get(address), client);
    assert.equal((await callUnary(client, "stat", { path: "/p" })).path, "/p");
    pool.get("127.0.0.1:1");
    pool.retain([address]);
    assert.equal(pool.get(address), client);
    pool.close();
    pool.close();
    assert.throws(
      () => pool.get(address),
      (error) => isRinglightError(error, "RL_CANCELLED"),
    );
  });
});

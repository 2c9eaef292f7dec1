import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { ProcessServiceClient } from "@ringlight/proto";
import { callStream, callUnary, connectGrpc, processService, startGrpcServer } from "./index.ts";

const lines: string[] = [];
let level = "info";
const server = await startGrpcServer({
  bind: "127.0.0.1",
  port: 0,
  services: [
    processService({
      process: "worker",
      id: "w1",
      settings: () => [
        { key: "mem", value: "1GiB", origin: "flag", from: "--mem", defaultValue: "256MiB", about: "Bytes in memory." },
      ],
      log: {
        level: () => level,
        setLevel: (next) => {
          level = next;
        },
        info: (message) => void (level === "info" || level === "debug" ? lines.push(message) : undefined),
      },
    }),
  ],
});
const client = connectGrpc(ProcessServiceClient, `127.0.0.1:${server.port}`, {});
after(async () => {
  client.close();
  await server.close(0);
});
const control = { deadlineMs: 30_000 };

test("a process tells its settings with their origins", async () => {
  const told = await callUnary(client, "getSettings", {}, control);
  assert.deepEqual([told.process, told.id, told.logLevel], ["worker", "w1", { level: "info", configured: "info" }]);
  assert.equal(told.settings[0]?.origin, "flag");
});

test("the log level is changed, and goes back to what it was at the start", async () => {
  assert.deepEqual(await callUnary(client, "setLogLevel", { level: "error" }, control), {
    level: "error",
    configured: "info",
  });
  assert.deepEqual(await callUnary(client, "setLogLevel", { level: "" }, control), {
    level: "info",
    configured: "info",
  });
  assert.deepEqual(lines, ["the log level was changed", "the log level was changed"]);
  await assert.rejects(callUnary(client, "setLogLevel", { level: "loud" }, control), (error) => {
    assert.ok(isRinglightError(error, "RL_BAD_REQUEST"));
    return true;
  });
});

async function take(seconds: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { data } of callStream(client, "takeCpuProfile", { seconds }, control)) parts.push(data);
  return Buffer.concat(parts);
}

test("a CPU profile is a file that developer tools open; a second one has to wait", async () => {
  const first = take(1);
  // The first one has begun when the second is refused; before, it would be the other way round.
  while (!lines.includes("a CPU profile is taken")) await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(take(1), (error) => isRinglightError(error, "RL_OVERLOADED"));
  const profile = JSON.parse((await first).toString()) as { nodes: unknown[]; samples: number[]; endTime: number };
  assert.ok(profile.nodes.length > 0 && profile.samples.length > 0);
  await assert.rejects(take(61), (error) => isRinglightError(error, "RL_BAD_REQUEST"));
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { describe, it } from "node:test";
import { RinglightError } from "@ringlight/core";
import { createLogger, type LoggerOptions } from "./index.ts";

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, logger: createLogger({ service: "ringlight-worker", instance: "w1", destination, ...options }) };
}

describe("createLogger", () => {
  it("writes one JSON line with time, level, service, instance, message and fields", () => {
    const { lines, logger } = capture();
    logger.child({ trace_id: "abc" }).warn("slow read", { durationMs: 12 });
    assert.equal(lines.length, 1);
    const { time, ...rest } = JSON.parse(lines[0] ?? "");
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 10_000);
    assert.deepEqual(rest, {
      level: "warn",
      service: "ringlight-worker",
      instance: "w1",
      msg: "slow read",
      trace_id: "abc",
      durationMs: 12,
    });
  });

  it("outlives a full disk", () => {
    const script = `import { createLogger } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      const logger = createLogger({ service: "s", instance: "i" });
      for (let line = 0; line < 10_000; line++) logger.info("a line that no disk takes", { line });
      console.error("alive");`;
    const full = openSync("/dev/full", "w");
    try {
      const { stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", full, "pipe"],
        encoding: "utf8",
      });
      assert.deepEqual([stderr.trim(), status], ["alive", 0]);
    } finally {
      closeSync(full);
    }
  });

  it("leaves out lines below its level", () => {
    const { lines, logger } = capture({ level: "warn" });
    logger.debug("a");
    logger.info("b");
    logger.error("c");
    assert.equal(lines.length, 1);
  });

  it("masks secrets wherever they stand, in children too", () => {
    const { lines, logger } = capture();
    const secrets = { secretAccessKey: "hunter2", nested: [{ Authorization: "hunter2", token: "hunter2" }] };
    logger
      .child({ clusterToken: "hunter2" })
      .info("mount", { ...secrets, password: "hunter2", map: new Map([["secret", "hunter2"]]), key: "kept" });
    assert.ok(!lines[0]?.includes("hunter2"), lines[0]);
    assert.ok(lines[0]?.includes('"key":"kept"'));
    assert.equal(secrets.secretAccessKey, "hunter2", "the caller's object stays as it was");
  });

  it("writes errors with name, code and stack, and survives what JSON cannot hold", () => {
    const { lines, logger } = capture();
    const circle: Record<string, unknown> = { big: 1n, bytes: Buffer.from("abc"), at: new Date(0) };
    circle.self = circle;
    logger.error("failed", { error: new RinglightError("RL_NOT_FOUND", "no such thing"), circle });
    const { error, circle: written } = JSON.parse(lines[0] ?? "");
    assert.equal(error.code, "RL_NOT_FOUND");
    assert.match(error.stack, /logger\.test/);
    assert.deepEqual([written.big, written.bytes, written.at], ["1", "[3 bytes]", "1970-01-01T00:00:00.000Z"]);
  });

  it("writes one readable line as text", () => {
    const { lines, logger } = capture({ format: "text" });
    logger.info("worker started", { port: 29998, note: "two words", token: "x" });
    assert.match(
      lines[0] ?? "",
      /^\S+Z INFO {2}ringlight-worker\/w1 worker started port=29998 note="two words" token=\*+\n$/,
    );
  });
});

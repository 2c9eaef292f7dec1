/** Memory under readers that stand still: measured in a process of its own, so that nothing else is in the figures. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { newReadStatus, systemClock, type Ufs } from "@ringlight/core";
import { openPageStore, versionId } from "@ringlight/store";
import { PageReader } from "./page-reader.ts";

const MIB = 1024 * 1024;
const READERS = 64;
const OBJECT_BYTES = 1024 * MIB;
const BUDGET_BYTES = 64 * MIB;
/** Pages that each reader takes, standing still after each. */
const STEPS = 6;
/** Beside the budget: the page that each reader holds, the pool of free pages, and what the collector has not seen to yet. */
const SLACK_BYTES = READERS * MIB + 48 * MIB + 128 * MIB;

if (process.env.SLOW_READERS_CHILD === "1") await child();
else
  test("64 readers of 1 GiB objects that stand still stay within the budget", async () => {
    const running = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
      env: { ...process.env, SLOW_READERS_CHILD: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    running.stdout.on("data", (piece: Buffer) => {
      text += piece.toString();
    });
    const code = await new Promise((resolve) => running.once("close", resolve));
    assert.equal(code, 0);
    const { grownBytes, inFlightBytes } = JSON.parse(text) as { grownBytes: number; inFlightBytes: number };
    const shown = `${Math.round(grownBytes / MIB)} MiB`;
    assert.ok(grownBytes < BUDGET_BYTES + SLACK_BYTES, `grew by ${shown}`);
    assert.ok(inFlightBytes <= BUDGET_BYTES, `${inFlightBytes} bytes in flight`);
  });

async function child(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-slow-"));
  const tiers = [{ name: "mem", directories: [directory], limitBytes: 128 * MIB }];
  const store = await openPageStore({ tiers });
  const pages = new PageReader({
    store,
    pageBytes: MIB,
    budgetBytes: BUDGET_BYTES,
    clock: systemClock,
    count: () => {},
  });
  const ufs = endlessUfs();
  const before = process.memoryUsage.rss();
  let most = before;
  let inFlightBytes = 0;
  const readers = Array.from({ length: READERS }, (_, index) =>
    pages.read({
      mount: "m",
      key: `k${index}`,
      version: versionId("m", `k${index}`, "v"),
      meta: { version: "v", sizeBytes: OBJECT_BYTES },
      ufs,
      range: { start: 0, end: OBJECT_BYTES - 1 },
      status: newReadStatus(),
      signal: new AbortController().signal,
      traceparent: "",
    }),
  );
  const held: unknown[] = [];
  for (let step = 0; step < STEPS; step++) {
    const pieces = await Promise.all(readers.map((reader) => reader.next()));
    held.splice(0, held.length, ...pieces);
    // What is fetched ahead of readers that stand still comes in now.
    for (let turn = 0; turn < 200; turn++) {
      await setImmediate();
      inFlightBytes = Math.max(inFlightBytes, pages.bytesInFlight);
    }
    most = Math.max(most, process.memoryUsage.rss());
  }
  for (const reader of readers) await reader.return(undefined);
  await store.close();
  rmSync(directory, { recursive: true });
  process.stdout.write(JSON.stringify({ grownBytes: most - before, inFlightBytes }));
}

/** Objects of zeros that come as fast as they are taken. */
function endlessUfs(): Ufs {
  return {
    uri: "test://zeros",
    head: async () => ({ sizeBytes: OBJECT_BYTES, version: "v", etag: "v", modifiedMs: 0 }),
    read: async () => assert.fail("read into memory"),
    readInto: async (_key, _version, range, sink, options) => {
      for (let left = range.end - range.start + 1; left > 0; ) {
        const space = sink.space();
        const length = Math.min(left, space.length, 256 * 1024);
        space.fill(0, 0, length);
        sink.advance(length);
        left -= length;
        await setImmediate();
        options?.signal?.throwIfAborted();
      }
    },
    list: async () => ({ objects: [], commonPrefixes: [], truncated: false, nextStartAfter: "" }),
    check: async () => {},
    close: async () => {},
  };
}

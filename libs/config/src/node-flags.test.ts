import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { nodeFlagsOf } from "./node-flags.ts";

/** The bound that V8 has for its old generation, MiB, started as an app's process is. */
function heapLimitMib(app: string, nodeOptions: string): number {
  const program = "console.log(require('node:v8').getHeapStatistics().heap_size_limit / 2 ** 20)";
  const env = { ...process.env, NODE_OPTIONS: nodeOptions };
  const { stdout } = spawnSync(process.execPath, [...nodeFlagsOf(app, nodeOptions), "-e", program], { env });
  return Number(stdout);
}

test("the console's heap is bounded, and NODE_OPTIONS bounds it otherwise", () => {
  const bounded = heapLimitMib("console", "");
  assert.ok(bounded > 1500 && bounded < 2000, `${bounded} MiB`);
  const raised = heapLimitMib("console", "--max_old_space_size=3000");
  assert.ok(raised > 2900 && raised < 3500, `${raised} MiB`);
  assert.deepEqual(nodeFlagsOf("scheduler", ""), []);
});

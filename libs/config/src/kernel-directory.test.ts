import assert from "node:assert/strict";
import { test } from "node:test";
import { isKernelDirectory } from "./kernel-directory.ts";
import { loadConfig } from "./load.ts";

test("places below /proc and /sys are the kernel's, their neighbours are not", () => {
  for (const directory of ["/proc", "/proc/x/y", "/sys/x", "/tmp/../proc/x"])
    assert.equal(isKernelDirectory(directory), true);
  for (const directory of ["/process", "/srv/proc", "/dev/shm/x", "/system"])
    assert.equal(isKernelDirectory(directory), false);
});

test("a data directory below /proc is refused before anything is made", () => {
  assert.throws(() => loadConfig("scheduler", { argv: ["--data-dir", "/proc/x"], env: {} }), {
    code: "RL_BAD_CONFIG",
    message: /dataDir.*outside of \/proc and \/sys/,
  });
});

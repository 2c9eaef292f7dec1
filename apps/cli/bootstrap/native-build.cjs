// Builds the addon of the hit path where a C compiler and Node's headers are found; without it the product is whole, and slower.
"use strict";
const { spawnSync } = require("node:child_process");
const { buildNative } = require("../../../libs/native/build.cjs");

/** Builds for the Node that everything runs on. A build that was made, or that cannot be made, costs a few milliseconds. */
function ensureNative(runtime) {
  let abi = process.versions.modules;
  if (runtime.node !== process.execPath) {
    const asked = spawnSync(runtime.node, ["-p", "process.versions.modules"], { encoding: "utf8", env: runtime.env });
    if (asked.status !== 0) return;
    abi = asked.stdout.trim();
  }
  // Why there is none is said by the worker that goes without.
  buildNative(runtime.node, abi);
}

module.exports = { ensureNative };

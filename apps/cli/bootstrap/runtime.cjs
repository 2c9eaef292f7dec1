// Finds Node 24 or newer, and makes the environment in which everything else runs.
"use strict";
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { failure } = require("./child.cjs");
const { bundledNode, cleanEnvironment, npmCommand } = require("./packages.cjs");

const WANTED = 24;

function versionOf(node) {
  const result = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8", env: cleanEnvironment() });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function findNode(root) {
  if (Number(process.versions.node.split(".")[0]) >= WANTED) return process.execPath;
  const bundled = bundledNode(root);
  if (!fs.existsSync(bundled)) {
    throw failure(
      `Ringlight runs on Node ${WANTED}; this is ${process.versions.node}, and npm has no Node package for ${process.platform}-${process.arch} that it could bring along.`,
      `Install Node ${WANTED} from https://nodejs.org and run the command again.`,
    );
  }
  const version = versionOf(bundled);
  if (!version || Number(version.split(".")[0]) < WANTED) {
    throw failure(
      `${path.relative(root, bundled)} does not run on this machine (a system without glibc, perhaps).`,
      `Install Node ${WANTED} from your system's packages or from https://nodejs.org, and run the command again.`,
    );
  }
  return bundled;
}

/**
 * A directory with an `npm` that runs on the Node it came with. Tools that call npm for a workspace's script (turbo does)
 * would otherwise run the machine's npm on another Node, which a distribution's npm does not stand.
 */
function npmShim(root) {
  const dir = path.join(root, "node_modules/.cache/ringlight/bin");
  const npm = npmCommand();
  if (npm.length < 2) return undefined;
  const quoted = npm.map((part) => `'${part.replaceAll("'", "'\\''")}'`).join(" ");
  const text = `#!/bin/sh\nexec ${quoted} "$@"\n`;
  const file = path.join(dir, "npm");
  try {
    if (fs.readFileSync(file, "utf8") === text) return dir;
  } catch {
    // Not there yet.
  }
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(`${file}.${process.pid}`, text, { mode: 0o755 });
  fs.renameSync(`${file}.${process.pid}`, file);
  return dir;
}

/** The Node to run everything with, and the environment of all children. */
function ensureRuntime(root) {
  const node = findNode(root);
  const env = cleanEnvironment();
  const shim = node === process.execPath ? undefined : npmShim(root);
  const dirs = [shim, path.dirname(node), path.join(root, "node_modules/.bin"), env.PATH];
  env.PATH = dirs.filter(Boolean).join(path.delimiter);
  env.TURBO_TELEMETRY_DISABLED = "1";
  env.NEXT_TELEMETRY_DISABLED = "1";
  env.DO_NOT_TRACK = "1";
  return { node, env };
}

module.exports = { ensureRuntime };

// Builds the addon with the machine's C compiler, where there is one: no node-gyp, no download. Called by the bootstrap on
// every command; stays parseable by old Nodes. What was built is found again by a hash of the source and of Node's ABI;
// why nothing was built is kept beside it, for the words of the worker's start-up line.
"use strict";
const { spawnSync } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const SOURCES = ["ringlight.c", "signature.c", "send.c"].map((name) => path.join(__dirname, "src", name));
const HEADERS = [path.join(__dirname, "src", "send.h")];
const BUILD = path.join(__dirname, "build");
const FLAGS = ["-O2", "-g0", "-Wall", "-Wextra", "-shared", "-fPIC"];
const COMPILE_MS = 120_000;

/** Path of the addon, without its ending, for a Node with this ABI (process.versions.modules) on this machine. */
function addonBase(abi) {
  const hash = crypto.createHash("sha256").update(FLAGS.join(" "));
  for (const source of [...SOURCES, ...HEADERS]) hash.update(fs.readFileSync(source));
  const name = hash.update(`${abi} ${process.platform} ${process.arch}`).digest("hex").slice(0, 16);
  return path.join(BUILD, `ringlight-${name}`);
}

/** The ABI that a directory of headers is for, or undefined where there are none. */
function abiOf(headers) {
  try {
    fs.accessSync(path.join(headers, "node_api.h"));
    fs.accessSync(path.join(headers, "uv.h"));
    const text = fs.readFileSync(path.join(headers, "node_version.h"), "utf8");
    return /^#define NODE_MODULE_VERSION (\d+)/m.exec(text)[1];
  } catch {
    return undefined;
  }
}

/** The headers of a Node: beside its binary, or in the npm package that brings Node along. */
function findHeaders(node, abi) {
  const binary = fs.realpathSync(node);
  const besides = path.join(path.dirname(binary), "../include/node");
  const packaged = path.join(__dirname, `../../node_modules/node-${process.platform}-${process.arch}/include/node`);
  return [besides, packaged].find((headers) => abiOf(headers) === abi);
}

function compile(headers, out) {
  const compilers = [process.env.CC, "cc", "gcc", "clang"].filter(Boolean);
  for (const compiler of compilers) {
    const args = [...FLAGS, `-I${headers}`, "-o", out, ...SOURCES];
    const result = spawnSync(compiler, args, { encoding: "utf8", timeout: COMPILE_MS });
    if (result.error && result.error.code === "ENOENT") continue;
    if (result.status === 0) return undefined;
    const words = (result.stderr || String(result.error || "")).trim().split("\n")[0];
    return `${compiler} failed: ${words}`;
  }
  return "no C compiler was found (cc, gcc or clang)";
}

/**
 * Builds the addon for a Node unless it is there. Two processes may do so at once: each writes a file of its own and renames
 * it. Returns why there is none, or undefined when there is one. Never throws.
 *
 * @param node path of the Node binary that will load it
 * @param abi that Node's process.versions.modules
 */
function buildNative(node, abi) {
  try {
    if (process.platform !== "linux") return "the addon is for Linux only";
    const base = addonBase(abi);
    if (fs.existsSync(`${base}.node`)) return undefined;
    fs.mkdirSync(BUILD, { recursive: true });
    const headers = findHeaders(node, abi);
    const temporary = `${base}.${process.pid}.tmp`;
    const why = headers ? compile(headers, temporary) : "Node's C headers were not found";
    if (why) {
      fs.rmSync(temporary, { force: true });
      fs.writeFileSync(`${base}.why`, why);
      return why;
    }
    fs.renameSync(temporary, `${base}.node`);
    fs.rmSync(`${base}.why`, { force: true });
    return undefined;
  } catch (error) {
    return `the addon could not be built: ${error.message}`;
  }
}

module.exports = { addonBase, buildNative };

if (require.main === module) {
  const why = buildNative(process.execPath, process.versions.modules);
  if (why) process.stderr.write(`The addon of the hit path is not there: ${why}.\n`);
  process.exitCode = why ? 1 : 0;
}

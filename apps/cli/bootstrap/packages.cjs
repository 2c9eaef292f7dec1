// Installs the npm packages when node_modules is missing or was not made from this package-lock.json.
"use strict";
const { spawnSync } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { exclusively } = require("./mutex.cjs");
const { run, failure, say, stopwatch } = require("./child.cjs");

const STAMP = "node_modules/.ringlight-lock";

/** npm's own settings as a script sees them; these would change what a nested `npm ci` installs or compiles against. */
const CONFUSING = [
  "call",
  "package",
  "nodedir",
  "prefix",
  "local_prefix",
  "global_prefix",
  "global",
  "user_agent",
  "node_gyp",
  "omit",
  "only",
  "include",
  "production",
  "workspace",
  "workspaces",
  "include_workspace_root",
  "dry_run",
  "package_lock",
  "package_lock_only",
];

/** The environment without what npm added for this script. */
function cleanEnvironment() {
  const env = { ...process.env };
  for (const name of CONFUSING) delete env[`npm_config_${name}`];
  for (const name of Object.keys(env)) if (/^npm_(package|lifecycle)_/.test(name)) delete env[name];
  return env;
}

/** How to call npm: by the script that runs us where it is npm's own, so that no other npm on PATH is mixed in. */
function npmCommand() {
  const script = process.env.npm_execpath || "";
  return path.basename(script) === "npm-cli.js" ? [process.execPath, script] : ["npm"];
}

function npmMajor(npm) {
  const result = spawnSync(npm[0], [...npm.slice(1), "--version"], { encoding: "utf8", env: cleanEnvironment() });
  if (result.error || result.status !== 0) {
    throw failure("npm cannot be run.", "Install npm 9 or newer (it comes with Node), and run the command again.");
  }
  return Number(result.stdout.trim().split(".")[0]);
}

function lockStamp(root) {
  const lock = fs.readFileSync(path.join(root, "package-lock.json"));
  return `${crypto.createHash("sha256").update(lock).digest("hex")} ${process.platform}-${process.arch}\n`;
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The machine's C library as lock files name it. */
function libc() {
  const { header } = process.report.getReport();
  return header.glibcVersionRuntime ? "glibc" : "musl";
}

/** True when a package of the lock is to be there on this machine: all but those for other platforms. */
function isForHere(entry) {
  const allows = (list, value) => !list || list.includes(value);
  const platform = allows(entry.os, process.platform) && allows(entry.cpu, process.arch);
  if (!platform || (entry.libc && !entry.libc.includes(libc()))) return false;
  // Optional without os or cpu may stay away for reasons of its own.
  return !(entry.optional || entry.devOptional || entry.peer) || Boolean(entry.os || entry.cpu);
}

/** Packages that the lock file wants here and npm's own record in node_modules does not have; undefined without a record. */
function missingPackages(root) {
  const wanted = readJson(path.join(root, "package-lock.json"));
  const found = readJson(path.join(root, "node_modules/.package-lock.json"));
  if (!wanted || !found) return undefined;
  return Object.entries(wanted.packages)
    .filter(([name, entry]) => {
      if (!name.includes("node_modules/") || entry.link) return false;
      const there = found.packages[name];
      return there ? there.version !== entry.version : isForHere(entry);
    })
    .map(([name]) => name);
}

/** True when npm, called by hand, has installed everything. */
function installedByHand(root) {
  const missing = missingPackages(root);
  return missing !== undefined && missing.length === 0;
}

/** The Node that the packages bring along, where they bring one for this platform. */
function bundledNode(root) {
  return path.join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
}

function nodeIsThere(root) {
  const expected = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  return !expected || Number(process.versions.node.split(".")[0]) >= 24 || fs.existsSync(bundledNode(root));
}

function current(root) {
  const stamp = lockStamp(root);
  const file = path.join(root, STAMP);
  if (!nodeIsThere(root)) return false;
  try {
    if (fs.readFileSync(file, "utf8") === stamp) return true;
  } catch {
    // No stamp: npm's own record decides.
  }
  if (!installedByHand(root)) return false;
  fs.writeFileSync(file, stamp);
  return true;
}

/** The versions that install on behalf of an old Node or npm. */
const MODERN_NPM = "npm@11";

/**
 * How to run `npm ci`. npm leaves optional packages out that do not name the Node it runs on as one of theirs, and those
 * are the native parts of the tools; npm 9 also installs some of them by halves. So an old Node or npm first gets a
 * current pair of them, which then installs.
 */
function installCommand(root, npm, modern) {
  if (!modern) return { command: npm, shown: "npm ci" };
  const name = `node-${process.platform}-${process.arch}`;
  const version = readJson(path.join(root, "package.json")).optionalDependencies[name];
  const packages = version ? [`${name}@${version}`, MODERN_NPM] : [MODERN_NPM];
  const flags = packages.map((one) => `--package=${one}`);
  return {
    command: [...npm, "exec", "--yes", ...flags, "--", "npm"],
    shown: `npx --yes ${packages.map((one) => `-p ${one}`).join(" ")} npm ci`,
  };
}

async function runInstall(root, npm, modern) {
  const { command, shown } = installCommand(root, npm, modern);
  say(`Installing packages and Node 24 from npm (${shown}): about 1 GB on disk, usually 1 to 2 minutes.`);
  const stop = stopwatch("installing");
  const flags = ["ci", "--include=dev", "--include=optional", "--loglevel=error", "--no-audit", "--no-fund"];
  const code = await run(command[0], [...command.slice(1), ...flags], {
    cwd: root,
    env: cleanEnvironment(),
    stdio: ["ignore", 2, 2],
  });
  const seconds = stop();
  if ([129, 130, 143].includes(code)) throw failure("The installation was interrupted.", "Run the command again.");
  if (code !== 0) {
    throw failure(
      `Installing packages failed (${shown} ended with code ${code}, its words are above).`,
      `Put right what it names, then run: ${shown}`,
    );
  }
  return { seconds, shown };
}

async function install(root) {
  const npm = npmCommand();
  const npmVersion = npmMajor(npm);
  if (npmVersion < 9) throw failure(`npm ${npmVersion} is too old.`, "Install npm 9 or newer: npm install -g npm@11");
  let modern = npmVersion < 10 || Number(process.versions.node.split(".")[0]) < 20;
  let { seconds, shown } = await runInstall(root, npm, modern);
  if (!installedByHand(root) && !modern) {
    modern = true;
    say("This npm left packages out; installing again with a current one.");
    ({ seconds, shown } = await runInstall(root, npm, modern));
  }
  const missing = missingPackages(root) || ["everything"];
  if (missing.length > 0 || !nodeIsThere(root)) {
    const names = missing.slice(0, 5).map((name) => name.replace(/^.*node_modules\//, ""));
    throw failure(`npm left packages out: ${names.join(", ") || "Node 24"}.`, `Run: rm -rf node_modules && ${shown}`);
  }
  fs.writeFileSync(path.join(root, STAMP), lockStamp(root));
  say(`Packages are installed (${seconds} s).`);
}

/** Makes sure that node_modules is what package-lock.json says. */
async function ensurePackages(root) {
  if (current(root)) return;
  await exclusively(root, "install", async () => {
    if (!current(root)) await install(root);
  });
}

module.exports = { ensurePackages, cleanEnvironment, npmCommand, bundledNode };

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

/** True when npm itself recorded in node_modules that every package the lock file asks for is there. */
function installedByHand(root) {
  const wanted = readJson(path.join(root, "package-lock.json"));
  const found = readJson(path.join(root, "node_modules/.package-lock.json"));
  if (!wanted || !found) return false;
  return Object.entries(wanted.packages).every(([name, entry]) => {
    if (!name.includes("node_modules/")) return true;
    const there = found.packages[name];
    if (!there) return Boolean(entry.optional || entry.devOptional || entry.peer);
    return Boolean(entry.link) || there.version === entry.version;
  });
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

async function install(root) {
  const npm = npmCommand();
  const major = npmMajor(npm);
  if (major < 9) throw failure(`npm ${major} is too old.`, "Install npm 9 or newer: npm install -g npm@11");
  // npm 9 leaves packages of other platforms' alternatives half installed; a current npm does not.
  const oldNpm = major < 10;
  const exec = oldNpm ? [...npm, "exec", "--yes", "--", "npm@11"] : npm;
  const shown = oldNpm ? "npx --yes npm@11 ci" : "npm ci";
  say(`Installing packages and Node 24 from npm (${shown}): about 1 GB on disk, usually 1 to 2 minutes.`);
  const stop = stopwatch("installing");
  const args = [
    ...exec.slice(1),
    "ci",
    "--include=dev",
    "--include=optional",
    "--loglevel=error",
    "--no-audit",
    "--no-fund",
  ];
  const code = await run(exec[0], args, { cwd: root, env: cleanEnvironment(), stdio: ["ignore", 2, 2] });
  const seconds = stop();
  if ([129, 130, 143].includes(code)) throw failure("The installation was interrupted.", "Run the command again.");
  if (code !== 0) {
    throw failure(
      `Installing packages failed (${shown} ended with code ${code}, its words are above).`,
      `Put right what it names, then run: ${shown}`,
    );
  }
  if (!nodeIsThere(root)) {
    throw failure("npm installed the packages without Node 24.", "Run: rm -rf node_modules && npx --yes npm@11 ci");
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

// Builds the console when it was not built from the sources that are here.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { exclusively } = require("./mutex.cjs");
const { run, failure, say, stopwatch } = require("./child.cjs");

const STAMP = "node_modules/.cache/ringlight/console-build";
const BUILD_ID = "apps/console/.next/BUILD_ID";
const INPUTS = ["package-lock.json", "tsconfig.json", "turbo.json", "apps/console", "libs"];
const SKIPPED_DIRS = new Set(["node_modules", ".next", ".turbo", "testdata"]);

/** Every file under `at`, sorted, without tests and build products. */
function* sourceFiles(root, at) {
  const full = path.join(root, at);
  if (!fs.existsSync(full)) return;
  if (fs.statSync(full).isFile()) {
    yield at;
    return;
  }
  const entries = fs.readdirSync(full, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const name = path.join(at, entry.name);
    if (entry.isDirectory() && !SKIPPED_DIRS.has(entry.name)) yield* sourceFiles(root, name);
    else if (entry.isFile() && !/\.test\.tsx?$|next-env\.d\.ts$|\.tsbuildinfo$/.test(entry.name)) yield name;
  }
}

/** A hash of names, sizes and times: cheap enough for every start; turbo's cache hashes contents after a change. */
function fingerprint(root, node) {
  const hash = crypto.createHash("sha256").update(`${node}\n`);
  for (const input of INPUTS) {
    for (const file of sourceFiles(root, input)) {
      const stat = fs.statSync(path.join(root, file));
      hash.update(`${file}\0${stat.size}\0${stat.mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}

function upToDate(root, print) {
  try {
    const buildId = fs.readFileSync(path.join(root, BUILD_ID), "utf8");
    return fs.readFileSync(path.join(root, STAMP), "utf8") === `${print} ${buildId}`;
  } catch {
    return false;
  }
}

async function build(root, runtime, print) {
  const turbo = path.join(root, "node_modules/.bin/turbo");
  if (!fs.existsSync(turbo)) {
    throw failure("turbo is not installed, so the console cannot be built.", "Run: rm -rf node_modules && npm ci");
  }
  say("Building the console (turbo run build): usually under a minute, and only after a change of its sources.");
  const stop = stopwatch("building");
  const code = await run(turbo, ["run", "build", "--output-logs=errors-only"], {
    cwd: root,
    env: runtime.env,
    stdio: ["ignore", 2, 2],
  }).catch((error) => {
    stop();
    throw failure(`turbo cannot run: ${error.message}`, "Run: rm -rf node_modules && npm ci");
  });
  const seconds = stop();
  if ([129, 130, 143].includes(code)) throw failure("The build was interrupted.", "Run the command again.");
  if (code !== 0) {
    // Next's own cache remembers failures too, also those of packages that are put right meanwhile.
    fs.rmSync(path.join(root, "apps/console/.next"), { recursive: true, force: true });
    throw failure(`The console's build failed (its words are above).`, "To repeat it alone: npx turbo run build");
  }
  fs.mkdirSync(path.dirname(path.join(root, STAMP)), { recursive: true });
  fs.writeFileSync(path.join(root, STAMP), `${print} ${fs.readFileSync(path.join(root, BUILD_ID), "utf8")}`);
  say(`The console is built (${seconds} s).`);
}

/** Makes sure that the console's build is of these sources. */
async function ensureConsole(root, runtime) {
  if (upToDate(root, fingerprint(root, runtime.node))) return;
  await exclusively(root, "build", async () => {
    const print = fingerprint(root, runtime.node);
    if (!upToDate(root, print)) await build(root, runtime, print);
  });
}

module.exports = { ensureConsole };

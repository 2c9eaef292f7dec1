// Runs all tests: those beside the code, the whole-system ones, and the browser's; ends with one line that sums them up.
//   npm test                     everything
//   npm test -- libs/ring        the files whose path contains libs/ring
//   npm test -- --test-name-pattern=evicts libs/store
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePackages } from "./test-packages.mjs";

const ROOT = path.resolve(fileURLToPath(import.meta.url), "../..");
const UNIT = [
  "libs/*/src/**/*.test.ts",
  "libs/*/src/**/*.test.tsx",
  "apps/*/src/**/*.test.ts",
  "bench/src/**/*.test.ts",
];
/** Whole-system tests of bytes and versions: run once more with the pages sent without the addon. */
const BOTH_PATHS = ["crowd", "differential", "fuzz", "worker-death", "write-race"].map((name) => `e2e/${name}.test.ts`);
const TEST_TIMEOUT_MS = 240_000;

const options = process.argv.slice(2).filter((arg) => arg.startsWith("-"));
const filters = process.argv.slice(2).filter((arg) => !arg.startsWith("-"));
const work = mkdtempSync(path.join(os.tmpdir(), "ringlight-test-"));
const children = new Set();
let interrupted;

process.on("exit", () => rmSync(work, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    interrupted = signal;
    for (const child of children) child.kill(signal);
  });
}

function find(patterns) {
  const files = patterns.flatMap((pattern) =>
    globSync(pattern, { cwd: ROOT, exclude: (name) => name === "node_modules" }),
  );
  const wanted = files.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
  return wanted.sort();
}

function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    children.add(child);
    child.on("error", reject);
    child.on("exit", (code) => {
      children.delete(child);
      resolve(code ?? 1);
    });
  });
}

/** Counts of one suite; a suite that ended badly without counting a failure counts as one. */
function counts(passed, failed, code) {
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed };
}

function parse(file, count) {
  try {
    return count(JSON.parse(readFileSync(file, "utf8").trim().split("\n").at(-1)));
  } catch {
    return [0, 0];
  }
}

async function nodeTests(name, files, concurrency, env) {
  console.log(`\n${name}: ${files.length} files`);
  const report = path.join(work, `${name}.json`);
  const code = await run(
    process.execPath,
    [
      "--test",
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${path.join(ROOT, ".ci/count-reporter.mjs")}`,
      `--test-reporter-destination=${report}`,
      ...options,
      ...files,
    ],
    env,
  );
  const [passed, failed] = parse(report, (sum) => [sum.passed, sum.tests - sum.passed - sum.skipped - sum.todo]);
  return counts(passed, failed, code);
}

async function browserTests(files) {
  console.log(`\nBrowser tests: ${files.length} files`);
  const report = path.join(work, "playwright.json");
  const args = ["test", "-c", "e2e/playwright.config.ts", "--reporter=list,json"];
  const code = await run("playwright", filters.length === 0 ? args : [...args, ...files], {
    PLAYWRIGHT_JSON_OUTPUT_FILE: report,
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: "1",
  });
  let sum = [0, 0];
  try {
    const { stats } = JSON.parse(readFileSync(report, "utf8"));
    sum = [stats.expected + stats.flaky, stats.unexpected];
  } catch {
    // No report: Playwright did not get as far, and its exit code says so.
  }
  return counts(sum[0], sum[1], code);
}

async function main() {
  if (!ensurePackages()) return 1;
  const started = Date.now();
  const suites = [
    { name: "Tests beside the code", files: find(UNIT), run: (name, files) => nodeTests(name, files, 2) },
    { name: "Whole-system tests", files: find(["e2e/**/*.test.ts"]), run: (name, files) => nodeTests(name, files, 1) },
    {
      name: "The same without the addon",
      files: find(BOTH_PATHS),
      run: (name, files) => nodeTests(name, files, 1, { RINGLIGHT_SENDFILE: "off" }),
    },
    { name: "Browser tests", files: find(["e2e/**/*.spec.ts"]), run: (_name, files) => browserTests(files) },
  ];
  let passed = 0;
  let failed = 0;
  for (const suite of suites) {
    if (interrupted) break;
    if (suite.files.length === 0) {
      // With no filter, a suite that finds nothing is a mistake and not a success.
      if (filters.length === 0) {
        console.error(`\n${suite.name}: no files were found.`);
        failed++;
      }
      continue;
    }
    const result = await suite.run(suite.name, suite.files);
    passed += result.passed;
    failed += result.failed;
  }
  if (interrupted) console.error(`\nInterrupted by ${interrupted}.`);
  if (passed + failed === 0)
    console.error(`\nNo test ran${filters.length > 0 ? `: nothing matches ${filters.join(" ")}` : ""}.`);
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s in all`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 || interrupted ? 1 : 0;
}

process.exitCode = await main();

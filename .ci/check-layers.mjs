// Checks who imports whom. The rules are the table below; what breaks one is printed with its file and line.
//   - A package imports only packages of lower layers; apps and e2e import libs, never apps; nothing imports from an app.
//   - A relative import stays inside its package.
//   - Every imported package stands in the importer's package.json, and outside of tests not only under devDependencies.
//   - A vendor package is imported by its owners only.
//   - core, ring and ui run in a browser, so they import nothing of Node's.
import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(fileURLToPath(import.meta.url), "../..");

const LAYERS = [
  ["core"],
  ["ring", "config", "proto", "sigv4", "native", "checksum"],
  ["telemetry", "store", "ufs", "rpc", "registry"],
  ["client", "s3", "trace-store", "ui"],
];
/** Narrower than their layer: what these libs may import of ours. */
const ONLY = { ui: ["core", "ring"], testing: ["core", "sigv4", "ring", "proto"] };
const BROWSER = new Set(["core", "ring", "ui"]);

/** Vendor packages and the workspaces that may import them; `tests` also allows every test. */
const OWNERS = [
  [/^@opentelemetry\/(?!api$)/, ["libs/telemetry"], { tests: true }],
  [/^etcd3$/, ["libs/registry"], { tests: false }],
  [/^@aws-sdk\/(?!crc64-nvme$)/, ["libs/ufs"], { tests: true }],
  [/^@grpc\//, ["libs/rpc", "libs/registry", "libs/proto"], { tests: false }],
  [/^(react|react-dom|next)$/, ["libs/ui", "apps/console"], { tests: false }],
  [/^@tanstack\//, ["apps/console"], { tests: false }],
  [/^zod$/, ["libs/config", "bench"], { tests: false }],
  [/^pino$/, ["libs/telemetry"], { tests: false }],
  [/^@node-rs\/crc32$/, ["libs/checksum"], { tests: false }],
  [/^@aws-sdk\/crc64-nvme$/, ["libs/checksum"], { tests: false }],
  [/^fast-xml-parser$/, ["libs/s3"], { tests: true }],
  [/^commander$/, ["apps/cli"], { tests: false }],
];

/** Tests, and what only tests import: contract suites, servers and fakes for tests. */
const TEST_FILE = /\.(test|spec)\.tsx?$|\/testing\/|\/(test|fake)-[\w-]+\.tsx?$|-contract\.ts$/;

const IMPORT =
  /(?:^|[\n;])\s*(?:import|export)\s+(?:[^'";]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

function layerOf(lib) {
  return LAYERS.findIndex((names) => names.includes(lib));
}

function readPackages() {
  const packages = new Map();
  for (const file of globSync("{apps/*,libs/*,bench,e2e}/package.json", { cwd: ROOT })) {
    const json = JSON.parse(readFileSync(path.join(ROOT, file), "utf8"));
    packages.set(json.name, { dir: path.dirname(file), json });
  }
  return packages;
}

/** "@scope/name/deep" is of the package "@scope/name". */
function packageName(specifier) {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

/** Why the workspace at `dir` may not import ours at `target`, or undefined. */
function layerProblem(dir, target, isTest) {
  if (!target.startsWith("libs/")) return `${target} is not a lib; nothing imports from it`;
  const to = target.slice("libs/".length);
  if (to === "testing")
    return isTest || dir === "bench" || dir === "e2e" ? undefined : "libs/testing is for tests only";
  if (layerOf(to) === -1) return `libs/${to} has no layer; name it in .ci/check-layers.mjs`;
  if (!dir.startsWith("libs/")) return undefined;
  const from = dir.slice("libs/".length);
  if (ONLY[from]) return ONLY[from].includes(to) ? undefined : `libs/${from} imports only ${ONLY[from].join(", ")}`;
  if (layerOf(from) === -1) return `libs/${from} has no layer; name it in .ci/check-layers.mjs`;
  if (layerOf(to) >= layerOf(from))
    return `libs/${from} (L${layerOf(from)}) may not import libs/${to} (L${layerOf(to)})`;
  return undefined;
}

function declaredProblem(name, json, isTest) {
  if (json.dependencies?.[name] || json.peerDependencies?.[name]) return undefined;
  if (json.devDependencies?.[name]) return isTest ? undefined : `${name} is only a devDependency of ${json.name}`;
  return `${name} is not in the package.json of ${json.name}`;
}

function problemOf(specifier, file, dir, json, packages) {
  const isTest = TEST_FILE.test(file) || dir === "e2e" || dir === "libs/testing";
  if (specifier.startsWith(".")) {
    const target = path.join(path.dirname(file), specifier);
    return target.startsWith(`${dir}/`) ? undefined : `a relative import leaves ${dir}; import the package by its name`;
  }
  if (isBuiltin(specifier)) {
    const browser = BROWSER.has(path.basename(dir)) && dir.startsWith("libs/") && !isTest;
    return browser ? `${dir} runs in a browser, which has no ${specifier}` : undefined;
  }
  // "@/..." is the console's own source, by its tsconfig.
  if (specifier.startsWith("@/")) return dir === "apps/console" ? undefined : `"@/" is the console's own`;
  const name = packageName(specifier);
  const ours = packages.get(name);
  if (ours) {
    if (ours.dir === dir) return "a package does not import itself by name";
    const problem = layerProblem(dir, ours.dir, isTest);
    if (problem) return problem;
  }
  const rule = OWNERS.find(([pattern]) => pattern.test(name));
  if (rule && !rule[1].includes(dir) && !(rule[2].tests && isTest))
    return `${name} belongs to ${rule[1].join(" and ")}`;
  return declaredProblem(name, json, isTest);
}

const packages = readPackages();
const problems = [];
for (const { dir, json } of packages.values()) {
  const excluded = (name) => name === "node_modules" || name === ".next";
  for (const file of globSync(`${dir}/**/*.{ts,tsx,mts}`, { cwd: ROOT, exclude: excluded })) {
    if (/\.d\.ts$|\/node_modules\/|\/\.next\//.test(file)) continue;
    const text = readFileSync(path.join(ROOT, file), "utf8");
    for (const match of text.matchAll(IMPORT)) {
      const problem = problemOf(match[1] ?? match[2], file, dir, json, packages);
      const line = text.slice(0, match.index + match[0].search(/\S/)).split("\n").length;
      if (problem) problems.push(`${file}:${line}  ${problem}`);
    }
  }
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
}

// Keeps package-lock.json usable by `npm ci` on every platform and free of download addresses.
//
// A package such as turbo names one optional package a platform. npm leaves those out of the lock that the registry at
// hand does not have, and `npm ci` then refuses the lock ("Missing: @turbo/darwin-64 from lock file"). A stub entry
// (version, os, cpu, optional; no integrity) satisfies it: on other platforms npm skips the package, on its own platform
// npm fetches it from the registry that it has there.
//   node .ci/lock-stubs.mjs           adds what is missing; run it after every npm install that changed the lock
//   node .ci/lock-stubs.mjs --check   changes nothing, and fails when something is missing or an address is recorded
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const FILE = path.resolve(fileURLToPath(import.meta.url), "../../package-lock.json");

const OSES = [
  [/darwin/, "darwin"],
  [/win32|windows/, "win32"],
  [/android/, "android"],
  [/freebsd/, "freebsd"],
  [/openharmony/, "openharmony"],
  [/wasi|wasm/, "wasi"],
];
const CPUS = [
  [/arm64|aarch64/, "arm64"],
  [/x64|x86_64|-64$/, "x64"],
  [/ppc64/, "ppc64"],
  [/riscv64/, "riscv64"],
  [/s390x/, "s390x"],
  [/loong64/, "loong64"],
  [/ia32|i686/, "ia32"],
  [/wasm32/, "wasm32"],
];

function match(table, name, otherwise) {
  return table.find(([pattern]) => pattern.test(name))?.[1] ?? otherwise;
}

/** The entry that lets `npm ci` accept a package that is for another platform. */
function stub(name, version, dev) {
  return {
    version,
    cpu: [match(CPUS, name, "arm")],
    ...(dev ? { dev: true } : {}),
    ...(/musl/.test(name) ? { libc: ["musl"] } : {}),
    optional: true,
    os: [match(OSES, name, "linux")],
  };
}

/** Platform packages that the lock names and does not hold, by the place where they belong. */
function missingEntries(packages) {
  const missing = {};
  for (const [owner, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      const place = `node_modules/${name}`;
      if (packages[place] || packages[`${owner}/${place}`] || missing[place] || !/^\d/.test(range)) continue;
      missing[place] = stub(name, range, Boolean(entry.dev || entry.devOptional));
    }
  }
  return missing;
}

const text = readFileSync(FILE, "utf8");
const lock = JSON.parse(text);
const missing = missingEntries(lock.packages);
const addresses = Object.entries(lock.packages).filter(([, entry]) => /^https?:/.test(entry.resolved ?? ""));

if (process.argv.includes("--check")) {
  for (const [place, entry] of Object.entries(missing)) console.error(`missing: ${place} ${entry.version}`);
  for (const [place, entry] of addresses) console.error(`has an address: ${place} ${entry.resolved}`);
  if (Object.keys(missing).length + addresses.length > 0) {
    console.error("Run: node .ci/lock-stubs.mjs");
    process.exitCode = 1;
  }
} else {
  for (const [, entry] of addresses) delete entry.resolved;
  const packages = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(FILE, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
  console.log(`${Object.keys(missing).length} stubs added, ${addresses.length} addresses removed`);
}

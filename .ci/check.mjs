// All static checks, one line each; what a failed one said follows its line. `npm run check -- layers knip` runs some.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(fileURLToPath(import.meta.url), "../..");

/** Name, what it makes sure of, and the command. */
const CHECKS = [
  ["format", "formatting, lint and import order", ["biome", "check", "."]],
  ["types", "types of libs, apps, bench and e2e", ["tsc", "-p", "."]],
  ["types-ui", "types of libs/ui", ["tsc", "-p", "libs/ui"]],
  ["types-console", "types of apps/console", ["tsc", "--noEmit", "-p", "apps/console"]],
  ["layers", "who may import whom", ["node", ".ci/check-layers.mjs"]],
  ["knip", "nothing unused, nothing undeclared", ["knip"]],
  ["generated", "code generated from .proto files is current", ["node", ".ci/check-generated.mjs"]],
  ["docs", "generated pages of docs/ are current", ["node", ".ci/docs.mjs", "--check"]],
  ["lock", "package-lock.json serves npm ci everywhere", ["node", ".ci/lock-stubs.mjs", "--check"]],
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CHECKS.some(([known]) => known === name));
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(", ")}; there are ${CHECKS.map(([name]) => name).join(", ")}.`);
  process.exit(2);
}

let failed = 0;
for (const [name, what, [command, ...args]] of CHECKS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = Date.now();
  const result = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const ok = result.status === 0;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${ok ? "ok    " : "FAILED"} ${name.padEnd(14)} ${what} (${seconds} s)`);
  if (!ok) {
    failed++;
    console.log(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}`.trimEnd());
  }
}
console.log(failed === 0 ? "All checks passed." : `${failed} checks failed.`);
process.exitCode = failed === 0 ? 0 : 1;

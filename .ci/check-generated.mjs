// Generates the code of every package with a buf.gen.yaml into a temporary directory and compares it with what is there.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(fileURLToPath(import.meta.url), "../..");
const work = mkdtempSync(path.join(os.tmpdir(), "ringlight-buf-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

function contents(dir) {
  return new Map(globSync("**/*.ts", { cwd: dir }).map((file) => [file, readFileSync(path.join(dir, file), "utf8")]));
}

const stale = [];
for (const template of globSync("libs/*/buf.gen.yaml", { cwd: ROOT })) {
  const packageDir = path.join(ROOT, path.dirname(template));
  const out = path.join(work, path.basename(packageDir));
  const result = spawnSync("buf", ["generate", "--output", out], { cwd: packageDir, encoding: "utf8" });
  if (result.status !== 0) {
    console.error(`buf generate failed in ${path.dirname(template)}:\n${result.stderr ?? result.error}`);
    process.exit(1);
  }
  const wanted = contents(path.join(out, "src/gen"));
  const found = contents(path.join(packageDir, "src/gen"));
  for (const file of new Set([...wanted.keys(), ...found.keys()])) {
    if (wanted.get(file) !== found.get(file)) stale.push(`${path.dirname(template)}/src/gen/${file}`);
  }
}
if (stale.length > 0) {
  console.error(
    `Not what buf generate makes of the .proto files:\n  ${stale.join("\n  ")}\nRun: npx buf generate, in the package.`,
  );
  process.exit(1);
}

// Writes the generated pages of docs/; with --check, changes nothing and fails when one is not current.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { renderCliDocs } from "../apps/cli/src/docs.ts";
import { buildProgram } from "../apps/cli/src/program.ts";
import { renderProblemDocs } from "../apps/console/src/server/problem-catalogue.ts";
import { renderConfigurationDocs } from "../libs/config/src/docs.ts";
import { renderErrorDocs, renderMissReasonDocs } from "../libs/core/src/docs.ts";
import { renderObservabilityDocs } from "../libs/telemetry/src/docs.ts";

const ROOT = path.resolve(fileURLToPath(import.meta.url), "../..");

const PAGES = {
  "docs/cli.md": () => renderCliDocs(buildProgram(() => {})),
  "docs/configuration.md": renderConfigurationDocs,
  "docs/errors.md": renderErrorDocs,
  "docs/miss-reasons.md": renderMissReasonDocs,
  "docs/observability.md": renderObservabilityDocs,
  "docs/problems.md": renderProblemDocs,
};

function current(file) {
  try {
    return readFileSync(path.join(ROOT, file), "utf8");
  } catch {
    return undefined;
  }
}

for (const [file, render] of Object.entries(PAGES)) {
  const text = render();
  if (current(file) === text) continue;
  if (process.argv.includes("--check")) {
    console.error(`${file} is not current. Run: node .ci/docs.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(path.join(ROOT, file), text);
    console.log(`wrote ${file}`);
  }
}

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "./load.ts";
import type { ProcessName } from "./schemas.ts";

const EXAMPLES = new URL("../../../docs/examples/", import.meta.url);

/** Every list of arguments in a document: the value of each key `args` or `command`, however deep it lies. */
function argumentLists(node: unknown): string[][] {
  if (Array.isArray(node)) return node.flatMap(argumentLists);
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    (key === "args" || key === "command") && Array.isArray(value) ? [value.map(String)] : argumentLists(value),
  );
}

function commandsOf(file: string): string[][] {
  const text = readFileSync(new URL(file, EXAMPLES), "utf8");
  const documents = parseAllDocuments(text, { merge: true });
  for (const document of documents) assert.deepEqual(document.errors, []);
  return documents.flatMap((document) => argumentLists(document.toJS()));
}

const PROCESSES: readonly string[] = ["worker", "scheduler", "console"] satisfies ProcessName[];
const EXPECTED = {
  "compose.yaml": { worker: 2, scheduler: 1, console: 1 },
  "kubernetes.yaml": { worker: 1, scheduler: 1 },
};

for (const [file, expected] of Object.entries(EXPECTED)) {
  test(`the flags of docs/examples/${file} are settings of the processes that they start`, () => {
    const seen: Record<string, number> = {};
    for (const [process = "", ...argv] of commandsOf(file)) {
      if (!PROCESSES.includes(process)) continue;
      seen[process] = (seen[process] ?? 0) + 1;
      const filled = argv.map((arg) => arg.replace(/\$\((\w+)\)/g, "name-0"));
      const { values } = loadConfig(process as ProcessName, { argv: filled, env: {} });
      assert.equal(values.dataDir, "/var/lib/ringlight");
    }
    assert.deepEqual(seen, expected);
  });
}

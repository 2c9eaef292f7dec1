import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { policyMatcher, writtenRule } from "@ringlight/core";
import { stringify } from "yaml";
import { parsePolicyFile } from "./policy-file.ts";

const EXAMPLE = new URL("../../../docs/examples/policies.yaml", import.meta.url);

test("the example of the documentation is a file that apply takes, and says what its comments say", () => {
  const rules = parsePolicyFile(readFileSync(EXAMPLE, "utf8"), "policies.yaml");
  assert.deepEqual(
    rules.map(({ name }) => name),
    ["dimensions", "scratch", "team-a", "archive"],
  );
  const match = policyMatcher(rules);
  assert.equal(match("lake", "warehouse/dim_date/part-0.parquet")?.pin, true);
  assert.deepEqual(match("lake", "tmp/x"), { ttlMs: 86_400_000, priority: "low", quotas: [], rules: ["scratch"] });
  assert.deepEqual(match("archive", "2019/a")?.quotas, [3]);
  assert.equal(match("lake", "tmp-2/x"), undefined);
  assert.equal(match("other", "tmp/x"), undefined);
});

test("what a rule says is written as it is read, whatever its units", () => {
  const rules = parsePolicyFile(
    `rules:
  - { name: a, path: /m, ttl: 1.5h, quota: 1536KiB }
  - { name: b, path: '/m/{x,y}/*', ttl: 2500ms, pin: false }
  - { name: c, path: /m/z, quota: 10GB, priority: high }
`,
    "rules.yaml",
  );
  const written = { rules: rules.map(writtenRule) };
  assert.deepEqual(
    written.rules.map(({ ttl, quota }) => [ttl, quota]),
    [
      ["90m", "1536KiB"],
      ["2500ms", undefined],
      [undefined, "9765625KiB"],
    ],
  );
  assert.deepEqual(parsePolicyFile(stringify(written), "again"), rules);
});

test("the first rule that says something of a thing decides, and every quota counts", () => {
  const match = policyMatcher(
    parsePolicyFile(
      `rules:
  - { name: exempt, path: /m/hot/raw/, pin: false }
  - { name: hot, path: /m/hot/, pin: true, quota: 1GiB }
  - { name: all, path: /m, ttl: 1d, priority: low, quota: 5GiB }
`,
      "rules.yaml",
    ),
  );
  const day = 86_400_000;
  assert.deepEqual(match("m", "hot/raw/1"), {
    ttlMs: day,
    pin: false,
    priority: "low",
    quotas: [1, 2],
    rules: ["all", "exempt", "hot"],
  });
  assert.deepEqual(match("m", "hot/2")?.pin, true);
  assert.deepEqual(match("m", "cold")?.quotas, [2]);
});

test("mistakes are told with their lines", () => {
  const refused = (text: string, expected: RegExp) =>
    assert.throws(() => parsePolicyFile(text, "f.yaml"), expected, text);
  refused("", /f\.yaml:1: rules is not a list/);
  refused("rules:\n  - name: a\n    path: /m\n", /f\.yaml:2: rules\[0\]: the rule says none of/);
  refused("rules:\n  - name: a\n    path: /m\n    pin: true\n    ttl: 5s\n", /f\.yaml:4: rules\[0\]\.pin: pin and ttl/);
  refused("rules:\n  - name: a\n    path: '/m/[x'\n    pin: true\n", /f\.yaml:3: rules\[0\]\.path: .*without an end/);
  refused("rules:\n  - {name: a, path: /m, quota: 0}\n", /f\.yaml:2: rules\[0\]\.quota: a quota of nothing/);
  refused("rules: []\nrule: []\n", /f\.yaml:2: rule: there is no field/);
  refused("rules:\n  - name: a\n   path: b\n", /f\.yaml:\d: /);
  assert.deepEqual(parsePolicyFile("rules: []\n", "f.yaml"), []);
});

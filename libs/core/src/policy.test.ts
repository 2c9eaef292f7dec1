import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicyRules, policyMatcher, ruleEffects } from "./policy.ts";

const rules = parsePolicyRules({
  rules: [
    { name: "exempt", path: "/lake/dim/tmp/", pin: false },
    { name: "dimensions", path: "/lake/dim/**", pin: true, priority: "high" },
    { name: "team", path: "/lake/dim", quota: "20GiB" },
    { name: "mount", path: "/lake", ttl: "24h", priority: "low", quota: "1TiB" },
    { name: "other", path: "/else", ttl: "1h" },
  ],
});

const told = (mount: string, key: string) =>
  ruleEffects(rules, mount, key).map(({ rule, field, value, decidedBy }) => [rule, field, value, decidedBy]);

test("each rule that matches is told, with the one that decides in its place, and every quota counts", () => {
  assert.deepEqual(told("lake", "dim/tmp/a"), [
    ["exempt", "pin", "false", undefined],
    ["dimensions", "pin", "true", "exempt"],
    ["dimensions", "priority", "high", undefined],
    ["team", "quota", "20GiB", undefined],
    ["mount", "ttl", "1d", undefined],
    ["mount", "priority", "low", "dimensions"],
    ["mount", "quota", "1TiB", undefined],
  ]);
  assert.deepEqual(told("else", "x"), [["other", "ttl", "1h", undefined]]);
  assert.deepEqual(told("nothing", "x"), []);
});

test("what is told is what the rules do", () => {
  for (const key of ["a", "dim/a", "dim/tmp/a"]) {
    const policy = policyMatcher(rules)("lake", key);
    const deciding = ruleEffects(rules, "lake", key).filter(({ decidedBy }) => decidedBy === undefined);
    const said = (field: string) => deciding.find((effect) => effect.field === field)?.value;
    assert.equal(said("pin"), policy?.pin === undefined ? undefined : String(policy.pin));
    assert.equal(said("priority"), policy?.priority);
    assert.equal(said("ttl"), policy?.ttlMs === 86_400_000 ? "1d" : undefined);
    assert.equal(deciding.filter(({ field }) => field === "quota").length, policy?.quotas.length);
    assert.deepEqual(new Set(deciding.map(({ rule }) => rule)), new Set(policy?.rules));
  }
});

test("a sentence says what a rule comes to, or why it comes to nothing", () => {
  const [exempt, pinned] = ruleEffects(rules, "lake", "dim/tmp/a");
  assert.equal(exempt?.sentence, "Pages are not pinned, whatever later rules say.");
  assert.equal(pinned?.sentence, 'No effect: the rule "exempt" comes before it and decides pin.');
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { globMatcher, globPrefix, isGlob, plain } from "./glob.ts";

const CASES: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ["a/*.txt", ["a/x.txt", "a/.txt"], ["a/b/x.txt", "a/xtxt", "b/x.txt"]],
  ["a/**", ["a/x", "a/b/c"], ["a", "ab/c"]],
  ["a/**/c", ["a/c", "a/b/c", "a/b/d/c"], ["a/bc", "a/b/cd"]],
  ["?", ["x", "é", "😀"], ["", "xx", "/"]],
  ["[a-c]1", ["a1", "c1"], ["d1", "1"]],
  ["[!a-c]1", ["d1"], ["a1", "/1"]],
  ["{x,y/z}.{a,b}", ["x.a", "y/z.b"], ["x.c", "y.a"]],
  ["a\\*b", ["a*b"], ["axb"]],
  ["a.b+(c)$|^", ["a.b+(c)$|^"], ["aXb"]],
  ["[.$]x", [".x", "$x"], ["ax"]],
];

test("patterns match what they say and nothing else", () => {
  for (const [pattern, yes, no] of CASES) {
    const matches = globMatcher(pattern);
    for (const key of yes) assert.equal(matches(key), true, `${pattern} ~ ${key}`);
    for (const key of no) assert.equal(matches(key), false, `${pattern} !~ ${key}`);
  }
});

test("only the part before the first special character has to be listed", () => {
  assert.equal(globPrefix("a/b*/c"), "a/b");
  assert.equal(globPrefix("a\\*b/{x,y}"), "a*b/");
  assert.equal(globPrefix("*"), "");
  assert.equal(isGlob("a\\*b"), false);
  assert.equal(plain("a\\*b"), "a*b");
});

test("a bracket or brace without an end is refused by name", () => {
  assert.throws(() => globMatcher("a[b"), { code: "RL_BAD_REQUEST" });
  assert.throws(() => globMatcher("a{b,c"), { code: "RL_BAD_REQUEST" });
});

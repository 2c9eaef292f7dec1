import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionsFromHeaders, evaluateConditions, rangeApplies } from "./conditions.ts";

const modifiedMs = Date.parse("2026-01-02T03:04:05.678Z");
const meta = { etag: '"abc"', modifiedMs };
const same = "Fri, 02 Jan 2026 03:04:05 GMT";
const before = "Fri, 02 Jan 2026 03:04:04 GMT";
const after = "Fri, 02 Jan 2026 03:04:06 GMT";

function outcome(headers: Record<string, string>): string {
  return evaluateConditions(conditionsFromHeaders(headers), meta);
}

test("If-Match holds for the tag, a list with it, the tag without quotes and *", () => {
  for (const value of ['"abc"', '"x", "abc"', "abc", "*", 'W/"abc", "abc"']) {
    assert.equal(outcome({ "if-match": value }), "ok", value);
  }
  for (const value of ['"x"', 'W/"abc"', '"x","y"', '"ab"']) {
    assert.equal(outcome({ "if-match": value }), "precondition-failed", value);
  }
});

test("If-None-Match answers 304 for the tag in any form, weak ones too", () => {
  for (const value of ['"abc"', 'W/"abc"', '"x", W/"abc"', "abc", "*"]) {
    assert.equal(outcome({ "if-none-match": value }), "not-modified", value);
  }
  assert.equal(outcome({ "if-none-match": '"x", "y"' }), "ok");
});

test("dates are compared in whole seconds, and what is no date is ignored", () => {
  assert.equal(outcome({ "if-modified-since": same }), "not-modified");
  assert.equal(outcome({ "if-modified-since": after }), "not-modified");
  assert.equal(outcome({ "if-modified-since": before }), "ok");
  assert.equal(outcome({ "if-unmodified-since": same }), "ok");
  assert.equal(outcome({ "if-unmodified-since": before }), "precondition-failed");
  assert.equal(outcome({ "if-modified-since": "soon", "if-unmodified-since": "never" }), "ok");
});

test("a true If-Match overrides If-Unmodified-Since", () => {
  assert.equal(outcome({ "if-match": '"abc"', "if-unmodified-since": before }), "ok");
  assert.equal(outcome({ "if-match": '"x"', "if-unmodified-since": same }), "precondition-failed");
});

test("If-None-Match overrides If-Modified-Since", () => {
  assert.equal(outcome({ "if-none-match": '"x"', "if-modified-since": same }), "ok");
  assert.equal(outcome({ "if-none-match": '"abc"', "if-modified-since": before }), "not-modified");
});

test("412 goes before 304", () => {
  assert.equal(outcome({ "if-match": '"x"', "if-none-match": '"abc"' }), "precondition-failed");
  assert.equal(outcome({ "if-match": '"abc"', "if-none-match": '"abc"' }), "not-modified");
});

test("If-Range lets the range count only for the same strong tag or the same date", () => {
  const applies = (value: string) => rangeApplies(conditionsFromHeaders({ "if-range": value }), meta);
  assert.equal(applies('"abc"'), true);
  assert.equal(applies('W/"abc"'), false);
  assert.equal(applies('"x"'), false);
  assert.equal(applies(same), true);
  assert.equal(applies(after), false);
  assert.equal(rangeApplies({}, meta), true);
});

test("conditions survive being sent as JSON", () => {
  const conditions = conditionsFromHeaders({ "if-none-match": '"abc"', "if-range": same });
  assert.equal(evaluateConditions(JSON.parse(JSON.stringify(conditions)), meta), "not-modified");
});

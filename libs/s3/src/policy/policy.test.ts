import assert from "node:assert/strict";
import { test } from "node:test";
import { isRinglightError } from "@ringlight/core";
import fc from "fast-check";
import { KeyRing } from "./key-ring.ts";
import { matchesWildcards, type PolicyRequest, parsePolicy } from "./policy-document.ts";

const allow = (Action: unknown, Resource: unknown, more: object = {}) => ({
  Effect: "Allow",
  Action,
  Resource,
  ...more,
});
const deny = (Action: unknown, Resource: unknown, more: object = {}) => ({ Effect: "Deny", Action, Resource, ...more });

function can(statements: unknown, action: string, resource: string, conditions: Record<string, string> = {}): boolean {
  const request: PolicyRequest = {
    action,
    resource: `arn:aws:s3:::${resource}`,
    username: "ada",
    conditions: new Map(Object.entries(conditions)),
  };
  return parsePolicy({ Version: "2012-10-17", Statement: statements }).allows(request);
}

test("what no statement allows is denied, and an explicit Deny wins over every Allow", () => {
  const read = allow("s3:GetObject", "arn:aws:s3:::bkt/*");
  assert.equal(can(read, "s3:GetObject", "bkt/a/b"), true);
  assert.equal(can(read, "s3:PutObject", "bkt/a"), false);
  assert.equal(can(read, "s3:GetObject", "other/a"), false);
  assert.equal(can(read, "s3:GetObject", "bkt"), false);
  const sealed = [allow("s3:*", "*"), deny("s3:*", "arn:aws:s3:::bkt/secret/*")];
  assert.equal(can(sealed, "s3:GetObject", "bkt/open"), true);
  assert.equal(can(sealed, "s3:GetObject", "bkt/secret/x"), false);
});

test("actions match in any case and by wildcards; NotAction and NotResource mean all others", () => {
  assert.equal(can(allow("S3:get*", "*"), "s3:GetObject", "b/k"), true);
  assert.equal(can(allow(["s3:PutObject", "s3:?etObject"], "*"), "s3:GetObject", "b/k"), true);
  const others = { Effect: "Allow", NotAction: "s3:Delete*", NotResource: "arn:aws:s3:::b/private/*" };
  assert.equal(can(others, "s3:GetObject", "b/k"), true);
  assert.equal(can(others, "s3:DeleteObject", "b/k"), false);
  assert.equal(can(others, "s3:GetObject", "b/private/k"), false);
});

test("the variable aws:username is the key's user, whose name is never a pattern", () => {
  const own = allow("s3:*", "arn:aws:s3:::home/\u0024{aws:username}/*");
  assert.equal(can(own, "s3:PutObject", "home/ada/x"), true);
  assert.equal(can(own, "s3:PutObject", "home/bob/x"), false);
  const policy = parsePolicy({ Statement: own });
  const request = { action: "s3:PutObject", resource: "arn:aws:s3:::home/bob/x", conditions: new Map() };
  assert.equal(policy.allows({ ...request, username: "*" }), false);
  assert.equal(policy.allows({ ...request, username: "*", resource: "arn:aws:s3:::home/*/x" }), true);
});

test("conditions compare the prefix of listings", () => {
  const list = allow("s3:ListBucket", "arn:aws:s3:::bkt", {
    Condition: { StringLike: { "s3:prefix": ["", "home/\u0024{aws:username}/*"] } },
  });
  assert.equal(can(list, "s3:ListBucket", "bkt", { "s3:prefix": "" }), true);
  assert.equal(can(list, "s3:ListBucket", "bkt", { "s3:prefix": "home/ada/x" }), true);
  assert.equal(can(list, "s3:ListBucket", "bkt", { "s3:prefix": "home/bob/" }), false);
  assert.equal(can(list, "s3:ListBucket", "bkt"), false);
  const not = deny("s3:*", "*", { Condition: { StringNotEquals: { "s3:delimiter": "/" } } });
  assert.equal(can([allow("s3:*", "*"), not], "s3:ListBucket", "bkt", { "s3:delimiter": "/" }), true);
  assert.equal(can([allow("s3:*", "*"), not], "s3:ListBucket", "bkt"), false);
});

test("what is not understood is refused instead of passed over", () => {
  const bad: unknown[] = [
    null,
    [],
    {},
    { Statement: [], Extra: 1 },
    { Version: "2020", Statement: allow("s3:*", "*") },
    { Statement: { ...allow("s3:*", "*"), Principal: "*" } },
    { Statement: { Effect: "Maybe", Action: "s3:*", Resource: "*" } },
    { Statement: { Effect: "Allow", Action: "s3:*" } },
    { Statement: allow("ec2:*", "*") },
    { Statement: allow("s3:*", "arn:aws:sqs:::x") },
    { Statement: allow("s3:*", "arn:aws:s3:::\u0024{aws:userid}/*") },
    { Statement: allow([], "*") },
    { Statement: allow("s3:*", "*", { Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } }) },
    { Statement: allow("s3:*", "*", { Condition: { StringLike: { "s3:x-amz-acl": "private" } } }) },
  ];
  for (const document of bad) {
    assert.throws(
      () => parsePolicy(document),
      (error) => isRinglightError(error, "RL_BAD_REQUEST"),
      JSON.stringify(document),
    );
  }
});

test("wildcards match as the regular expression that they stand for, and in bounded time", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?"), maxLength: 12 });
  fc.assert(
    fc.property(text, text, (pattern, value) => {
      const source = pattern.replace(/[*?/]/g, (char) => (char === "*" ? ".*" : char === "?" ? "." : "/"));
      assert.equal(matchesWildcards(pattern, value), new RegExp(`^${source}$`, "s").test(value));
    }),
    { numRuns: 2000 },
  );
  assert.equal(matchesWildcards(`${"*a".repeat(50)}b`, "a".repeat(2000)), false);
});

test("a ring finds keys, forgets them, and lets a policy that is none allow nothing", () => {
  const ring = new KeyRing((id) => (id === "ROOT" ? { accessKeyId: "ROOT", secretAccessKey: "r" } : undefined));
  const bad: string[] = [];
  const key = (accessKeyId: string, more: object = {}) => ({
    accessKeyId,
    secretAccessKey: "s",
    username: "ada",
    ...more,
  });
  const none = new Map<string, string>();
  ring.replaceAll(
    [
      key("ALL"),
      key("OFF", { disabled: true }),
      key("BAD", { policy: { Statement: "x" } }),
      key("LIST", {
        policy: { Statement: allow("s3:ListBucket", "*", { Condition: { StringEquals: { "s3:prefix": "" } } }) },
      }),
      key("ROOT", { secretAccessKey: "other" }),
    ],
    (id) => bad.push(id),
  );
  assert.deepEqual(bad, ["BAD"]);
  assert.equal(ring.lookup("ROOT")?.secretAccessKey, "r");
  assert.equal(ring.lookup("OFF"), undefined);
  const can = (id: string, action: string) => ring.permits(id, action, "bkt", "", none);
  assert.deepEqual(
    ["ROOT", "ALL", "OFF", "BAD", "LIST", "GONE"].map((id) => can(id, "s3:ListBucket")),
    [true, true, false, false, true, false],
  );
  assert.equal(ring.permits("LIST", "s3:ListBucket", "bkt", "", new Map([["prefix", "a"]])), false);
  ring.replaceAll([], () => undefined);
  assert.equal(ring.lookup("ALL"), undefined);
});

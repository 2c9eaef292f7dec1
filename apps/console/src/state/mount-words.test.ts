import assert from "node:assert/strict";
import { test } from "node:test";
import { accessWords, addCommand, draftErrors, EMPTY_DRAFT } from "./mount-words.ts";
import { shellWord } from "./shell-word.ts";

test("the command holds only what differs from the defaults", () => {
  const draft = { ...EMPTY_DRAFT, name: "logs", uri: "s3://bucket/logs" };
  assert.equal(addCommand(draft), "ringlight mount add /logs s3://bucket/logs");
  assert.equal(
    addCommand({ ...draft, endpoint: "http://h:1", credentials: "profile:a b", readOnly: true, replicas: 2 }),
    "ringlight mount add /logs s3://bucket/logs --option endpoint=http://h:1 --option 'credentials=profile:a b' --option replicas=2 --option read-only",
  );
  assert.match(addCommand({ ...draft, anonymousRead: true }), / --option access=anonymous-read$/);
});

test("access says who may write, and whether anybody may read", () => {
  assert.equal(accessWords({ readOnly: true }), "read-only");
  assert.equal(accessWords({ readOnly: false, access: "signed" }), "read and write");
  assert.equal(accessWords({ readOnly: false, access: "anonymous-read" }), "read and write, anyone may read");
});

test("words with a quote survive the shell", () => {
  assert.equal(shellWord("/a/it's"), `'/a/it'\\''s'`);
  assert.equal(shellWord("/plain/key.bin"), "/plain/key.bin");
});

test("a draft names the fields that are wrong", () => {
  assert.deepEqual(Object.keys(draftErrors(EMPTY_DRAFT)), ["name", "uri"]);
  assert.deepEqual(draftErrors({ ...EMPTY_DRAFT, name: "logs", uri: "s3://b", freshness: "ttl:5m" }), {});
});

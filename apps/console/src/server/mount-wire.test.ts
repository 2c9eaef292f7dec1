import assert from "node:assert/strict";
import { test } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { Freshness_Kind } from "@ringlight/proto";
import { mountOfForm, parseMountForm } from "./mount-wire.ts";

const FORM = {
  name: "logs",
  uri: "s3://bucket/logs",
  endpoint: "http://host:9000",
  addressing: "path",
  readOnly: true,
};

test("a form becomes the protocol's mount, with options only where they were given", () => {
  const mount = mountOfForm(parseMountForm({ ...FORM, freshness: "ttl:90s", credentials: "env:LOGS", replicas: 2 }));
  assert.equal(mount.name, "logs");
  assert.deepEqual(mount.options, { endpoint: "http://host:9000", addressing: "path" });
  assert.equal(mount.credentials, "env:LOGS");
  assert.equal(mount.replicas, 2);
  assert.equal(mount.readOnly, true);
  assert.equal(mount.access, "signed");
  assert.equal(mountOfForm(parseMountForm({ ...FORM, anonymousRead: true })).access, "anonymous-read");
  assert.deepEqual(mount.freshness, { kind: Freshness_Kind.KIND_TTL, ttlMs: 90_000 });
});

test("what is left out takes the defaults", () => {
  const mount = mountOfForm(parseMountForm({ name: "/logs", uri: "file:///data" }));
  assert.equal(mount.credentials, "default");
  assert.equal(mount.replicas, 1);
  assert.equal(mount.readOnly, false);
  assert.equal(mount.freshness?.ttlMs, 60_000);
});

for (const [what, fields] of [
  ["a name that is no bucket name", { name: "No" }],
  ["a URI of an unknown store", { uri: "ftp://host/x" }],
  ["a key in place of a reference to one", { credentials: "AKIAXXXX:secret" }],
  ["a key within the endpoint", { endpoint: "http://key:secret@host" }],
  ["an unknown freshness", { freshness: "sometimes" }],
  ["no replicas", { replicas: 0 }],
  ["text where a number belongs", { replicas: "2" }],
] as const) {
  test(`${what} is refused before anybody is asked`, () => {
    assert.throws(
      () => parseMountForm({ ...FORM, ...fields }),
      (error) => isRinglightError(error, "RL_BAD_REQUEST"),
    );
  });
}

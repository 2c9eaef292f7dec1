import assert from "node:assert/strict";
import { test } from "node:test";
import type { MountRecord } from "@ringlight/core";
import { mountFromProto, mountToProto } from "./records.ts";

const RECORD: MountRecord = {
  name: "lake",
  uri: "s3://lake",
  readOnly: true,
  freshness: { kind: "immutable" },
  replicas: 2,
  credentials: { kind: "default" },
  options: { region: "us-east-1" },
  createdMs: 5,
};

test("a mount comes back from its message as it was, and one that names no access is read by signature only", () => {
  assert.deepEqual(mountFromProto(mountToProto(RECORD), 5), RECORD);
  const open: MountRecord = { ...RECORD, access: "anonymous-read" };
  assert.deepEqual(mountFromProto(mountToProto(open), 5), open);
  assert.equal(mountFromProto({ ...mountToProto(open), access: "" }, 5).access, undefined);
  assert.throws(() => mountFromProto({ ...mountToProto(open), access: "everybody" }, 5), { code: "RL_BAD_REQUEST" });
});

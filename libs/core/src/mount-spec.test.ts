import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isRinglightError } from "./errors.ts";
import {
  formatCredentials,
  formatFreshness,
  parseBucketTemplate,
  parseFreshness,
  parseMountSpec,
} from "./mount-spec.ts";

function refuses(spec: string, part: string): void {
  assert.throws(
    () => parseMountSpec(spec, 0),
    (error) => {
      assert.ok(isRinglightError(error, "RL_BAD_REQUEST"), String(error));
      assert.ok(error.message.includes(part), `"${error.message}" should say "${part}"`);
      return true;
    },
  );
}

describe("parseMountSpec", () => {
  it("takes a name and a URI, with the defaults of a mount", () => {
    assert.deepEqual(parseMountSpec("/data=s3://bucket/some/prefix", 5), {
      name: "data",
      uri: "s3://bucket/some/prefix",
      readOnly: false,
      freshness: { kind: "ttl", ttlMs: 60_000 },
      replicas: 1,
      credentials: { kind: "default" },
      options: {},
      createdMs: 5,
    });
  });

  it("takes every option", () => {
    const mount = parseMountSpec(
      "lake=s3://b,endpoint=http://127.0.0.1:7480,region=eu-1,addressing=path,credentials=env:LAKE,freshness=strict,replicas=2,read-only",
      0,
    );
    assert.deepEqual(mount.options, { endpoint: "http://127.0.0.1:7480", region: "eu-1", addressing: "path" });
    assert.deepEqual(mount.credentials, { kind: "env", prefix: "LAKE" });
    assert.deepEqual(mount.freshness, { kind: "strict" });
    assert.equal(mount.replicas, 2);
    assert.equal(mount.readOnly, true);
  });

  it("takes directories, and commas written as %2C", () => {
    assert.equal(parseMountSpec("/d-1=file:///srv/a%2Cb", 0).uri, "file:///srv/a,b");
  });

  it("takes how pages are kept and checked", () => {
    const mount = parseMountSpec("/train=s3://b,eviction=freeze,verify=always", 0);
    assert.deepEqual(mount.options, { eviction: "freeze", verify: "always" });
  });

  it("refuses what is no mount, naming what is wrong", () => {
    refuses("nonsense", "write /name=s3://");
    refuses("/Upper=s3://b", "cannot name a mount");
    refuses("/abc=http://b", "is not a store");
    refuses("/abc=file://relative", "is not a store");
    refuses("/abc=s3://b,colour=red", '"colour" is no mount option');
    refuses("/abc=s3://b,freshness=now", 'freshness "now"');
    refuses("/abc=s3://b,replicas=0", "replicas=0");
    refuses("/abc=s3://b,eviction=lru", "default, freeze");
    refuses("/abc=s3://b,access=everybody", "access=everybody");
    refuses("/abc=s3://b,verify=never", "always, sampled");
    refuses("/abc=s3://b,region=", "has no value");
  });

  it("refuses credentials in clear without repeating them", () => {
    assert.throws(
      () => parseMountSpec("/abc=s3://b,credentials=AKIA:hunter2", 0),
      (error: Error) => !error.message.includes("hunter2") && error.message.includes("env:PREFIX"),
    );
  });
});

describe("access of a mount", () => {
  it("is by signature unless anonymous reads are asked for", () => {
    assert.equal(parseMountSpec("/abc=s3://b", 0).access, undefined);
    assert.equal(parseMountSpec("/abc=s3://b,access=signed", 0).access, undefined);
    assert.equal(parseMountSpec("/abc=s3://b,access=anonymous-read", 0).access, "anonymous-read");
  });
});

describe("formatFreshness and formatCredentials", () => {
  it("write what is parsed", () => {
    for (const text of ["immutable", "strict", "ttl:60s", "ttl:0.5s"]) {
      assert.equal(formatFreshness(parseFreshness(text)), text);
    }
    assert.equal(formatCredentials({ kind: "profile", name: "lake" }), "profile:lake");
    assert.equal(formatCredentials({ kind: "anonymous" }), "anonymous");
  });
});

describe("parseBucketTemplate", () => {
  it("makes the mount of each bucket, marked as made by a client", () => {
    const template = parseBucketTemplate("s3://team-{bucket},endpoint=http://127.0.0.1:7480,freshness=strict");
    const mount = template("new-bucket", 7);
    assert.equal(mount.name, "new-bucket");
    assert.equal(mount.uri, "s3://team-new-bucket");
    assert.deepEqual(mount.freshness, { kind: "strict" });
    assert.deepEqual(mount.options, { endpoint: "http://127.0.0.1:7480", "made-by": "CreateBucket" });
    assert.equal(mount.createdMs, 7);
    assert.equal(parseBucketTemplate("file:///srv/{bucket}")("one", 0).uri, "file:///srv/one");
  });

  it("refuses templates without a place for the name, with two, of no known store, and read-only ones", () => {
    for (const spec of ["s3://bucket", "s3://{bucket}/{bucket}", "ftp://{bucket}", "s3://{bucket},read-only"]) {
      assert.throws(
        () => parseBucketTemplate(spec),
        (error) => isRinglightError(error, "RL_BAD_REQUEST"),
        spec,
      );
    }
  });
});

import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { checkMount, openUfs, resolveCredentials, UFS_SCHEMES } from "./index.ts";
import { parseS3Location, targetOf } from "./s3-location.ts";

const bad = (text: RegExp) => (error: unknown) => {
  assert.ok(isRinglightError(error, "RL_BAD_REQUEST"), String(error));
  assert.match(error.message, text);
  assert.doesNotMatch(error.message, /hunter2/);
  return true;
};

describe("opening a mount", () => {
  it("refuses schemes that it does not know, naming those it does", async () => {
    assert.deepEqual(UFS_SCHEMES, ["s3", "file"]);
    for (const uri of ["gs://bucket", "/data", "", "hdfs://user:hunter2@host/x"]) {
      const mount = { uri, options: {}, credentials: { kind: "default" } } as const;
      await assert.rejects(openUfs(mount), bad(/s3:\/\/bucket\/prefix or file:\/\/\/directory/));
    }
  });

  it("refuses options and forms that it does not know, naming what is known and no secret", () => {
    const cases: [string, Record<string, string>, RegExp][] = [
      [
        "s3://bucket",
        { endpont: "http://x" },
        /no option "endpont"; its options are endpoint, region, addressing, checksum-trailers/,
      ],
      ["file:///d", { region: "x" }, /no option "region"; it has none/],
      ["s3://bucket", { addressing: "host" }, /neither path nor virtual/],
      ["s3://bucket", { endpoint: "localhost:9000" }, /endpoint/],
      ["s3://bucket", { endpoint: "nonsense" }, /not a URL/],
      ["s3://bucket", { endpoint: "http://key:hunter2@host" }, /holds credentials/],
      ["s3://bucket", { endpoint: "http://host/?secret=hunter2" }, /query/],
      ["s3://bucket", { region: "hunter 2" }, /region/],
      ["s3://key:hunter2@bucket/x", {}, /holds no credentials/],
      ["s3://", {}, /cannot name a bucket/],
      ["s3://b_/x?y", {}, /query/],
      ["file://host/d", {}, /file:\/\/\/directory/],
      ["file:///d?x", {}, /query/],
    ];
    for (const [uri, options, text] of cases) assert.throws(() => checkMount({ uri, options }), bad(text), uri);
    checkMount({
      uri: "s3://bucket/prefix",
      options: { endpoint: "http://h:1", region: "eu-x", addressing: "virtual" },
    });
    checkMount({ uri: "file:///some%20dir/", options: {} });
  });
});

describe("the place of an s3:// mount", () => {
  const place = (uri: string, options: Record<string, string> = {}, env: Record<string, string> = {}) => {
    const { host, port, hostname, basePath, prefix, region, secure } = parseS3Location({ uri, options }, env);
    return { host, port, hostname, basePath, prefix, region, secure };
  };

  it("is AWS's own, by virtual host, unless an endpoint is given", () => {
    assert.deepEqual(place("s3://bucket/a/b", {}, { AWS_REGION: "eu-central-1" }), {
      host: "bucket.s3.eu-central-1.amazonaws.com",
      hostname: "bucket.s3.eu-central-1.amazonaws.com",
      port: 443,
      basePath: "",
      prefix: "a/b/",
      region: "eu-central-1",
      secure: true,
    });
    // A certificate for *.s3.region.amazonaws.com does not cover names with dots.
    assert.equal(place("s3://dotted.bucket").basePath, "/dotted.bucket");
    assert.equal(place("s3://bucket", { region: "cn-north-1" }).host, "bucket.s3.cn-north-1.amazonaws.com.cn");
  });

  it("is by path where an endpoint is given, also beneath a path of the endpoint", () => {
    const { host, basePath, prefix, port } = place("s3://bucket/p/", { endpoint: "http://127.0.0.1:9000/storage/s3/" });
    assert.deepEqual([host, basePath, prefix, port], ["127.0.0.1:9000", "/storage/s3/bucket", "p/", 9000]);
    assert.equal(place("s3://bucket", { endpoint: "https://[::1]:9" }).hostname, "::1");
  });

  it("keeps every key as it is", () => {
    const location = parseS3Location({ uri: "s3://bucket/p", options: { endpoint: "http://h" } }, {});
    assert.equal(
      targetOf(location, "./a/../b//c d+é'()*!").rawUrl,
      "/bucket/p/./a/../b//c%20d%2B%C3%A9%27%28%29%2A%21",
    );
  });
});

describe("credentials by reference", () => {
  const config = (text: RegExp) => (error: unknown) => {
    assert.ok(isRinglightError(error, "RL_BAD_CONFIG"), String(error));
    assert.match(error.message, text);
    assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /hunter2/);
    return true;
  };

  it("come from the environment", async () => {
    const env = { X_ACCESS_KEY_ID: "id", X_SECRET_ACCESS_KEY: "hunter2", X_SESSION_TOKEN: "token" };
    assert.deepEqual(await resolveCredentials({ kind: "env", prefix: "X" }, env).get(), {
      accessKeyId: "id",
      secretAccessKey: "hunter2",
      sessionToken: "token",
    });
    const missing = resolveCredentials({ kind: "env", prefix: "Y" }, env);
    await assert.rejects(missing.get(), config(/Y_ACCESS_KEY_ID and Y_SECRET_ACCESS_KEY/));
    const aws = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "hunter2" };
    assert.equal((await resolveCredentials({ kind: "default" }, aws).get())?.accessKeyId, "id");
    assert.equal(await resolveCredentials({ kind: "anonymous" }, aws).get(), undefined);
  });

  it("come from a file that its owner alone may read", async () => {
    const directory = await mkdtemp(join(tmpdir(), "credentials-"));
    const path = join(directory, "pair.json");
    const source = () => resolveCredentials({ kind: "file", path }, {}).get();
    await assert.rejects(source(), config(/pair\.json cannot be read \(ENOENT\)/));
    await writeFile(path, JSON.stringify({ accessKeyId: "id", secretAccessKey: "hunter2" }), { mode: 0o644 });
    await assert.rejects(source(), config(/chmod 600/));
    await chmod(path, 0o600);
    assert.deepEqual(await source(), { accessKeyId: "id", secretAccessKey: "hunter2" });
    for (const text of ["hunter2", '{"accessKeyId":"hunter2"}', "[]", "null"]) {
      await writeFile(path, text);
      await assert.rejects(source(), config(/not JSON of the form/));
    }
    await rm(directory, { recursive: true });
  });

  it("come from a profile of the AWS configuration, and say which one is missing", async () => {
    const directory = await mkdtemp(join(tmpdir(), "credentials-"));
    const path = join(directory, "credentials");
    await writeFile(path, "[etl]\naws_access_key_id = id\naws_secret_access_key = hunter2\n");
    const before = process.env.AWS_SHARED_CREDENTIALS_FILE;
    process.env.AWS_SHARED_CREDENTIALS_FILE = path;
    try {
      const pair = await resolveCredentials({ kind: "profile", name: "etl" }, {}).get();
      assert.deepEqual(pair, { accessKeyId: "id", secretAccessKey: "hunter2" });
      const missing = resolveCredentials({ kind: "profile", name: "none" }, {});
      await assert.rejects(
        missing.get(),
        (error) => isRinglightError(error, "RL_UFS_DENIED") && /"none"/.test(error.message),
      );
    } finally {
      if (before === undefined) delete process.env.AWS_SHARED_CREDENTIALS_FILE;
      else process.env.AWS_SHARED_CREDENTIALS_FILE = before;
      await rm(directory, { recursive: true });
    }
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { emptySpec } from "./job-spec.ts";
import { targetPath } from "./job-target.ts";

function to(target: string, asked: string, path: string): string {
  return targetPath({ ...emptySpec("copy"), paths: [asked], target }, path, 0);
}

test("what lies below a path goes beneath the target, a single object to the target itself", () => {
  assert.equal(to("/dst/x", "/src/a", "/src/a/b/c"), "/dst/x/b/c");
  assert.equal(to("/dst/x/", "/src/a/", "/src/a/b/c"), "/dst/x/b/c");
  assert.equal(to("/dst", "/src", "/src/a/b"), "/dst/a/b");
  assert.equal(to("/dst/new", "/src/a/one", "/src/a/one"), "/dst/new");
  assert.equal(to("/dst/new/", "/src/a/one", "/src/a/one"), "/dst/new/one");
  assert.equal(to("/dst", "/src/a/one", "/src/a/one"), "/dst/one");
});

test("a pattern keeps what is behind the last slash before its first special character", () => {
  assert.equal(to("/dst/t", "/src/logs/2025-*", "/src/logs/2025-01/a"), "/dst/t/2025-01/a");
  assert.equal(to("/dst/t", "/src/**/*.parquet", "/src/a/b.parquet"), "/dst/t/a/b.parquet");
});

test("the lines of a manifest keep their key, those of a retry go where their path sent them", () => {
  const manifest = { ...emptySpec("copy"), manifestHash: "h", target: "/dst/t" };
  assert.equal(targetPath(manifest, "/src/a/b", 0), "/dst/t/a/b");
  const retry = { ...manifest, paths: ["/src/x", "/src/a"] };
  assert.equal(targetPath(retry, "/src/a/b", 0), "/dst/t/b");
});

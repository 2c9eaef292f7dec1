import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fileError } from "./file-error.ts";

test("a file that cannot be read is told with its name, the reason and what to do", () => {
  const told = (file: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      return fileError("the manifest", file, error).message;
    }
  };
  const missing = `${tmpdir()}/no-such-file`;
  assert.equal(told(missing), `the manifest ${missing} does not exist; name a file that does`);
  assert.equal(told(tmpdir()), `the manifest ${tmpdir()} is a directory; name a file`);
  const broken = fileError(
    "the manifest",
    "m",
    Object.assign(new Error("EIO: i/o error"), { code: "EIO" }),
    "RL_BAD_CONFIG",
  );
  assert.equal(broken.code, "RL_BAD_CONFIG");
  assert.match(broken.message, /^the manifest m cannot be read \(EIO: i\/o error\); /);
});

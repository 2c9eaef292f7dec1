import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { memDirectory } from "./mem-directory.ts";

test("a data directory gets the same mem directory every time, and another one another", () => {
  const root = mkdtempSync(join(tmpdir(), "ringlight-mem-"));
  try {
    const tmpfs = join(root, "shm");
    for (const name of ["shm", "a", "b"]) mkdirSync(join(root, name));
    const first = memDirectory(join(root, "a"), tmpfs);
    assert.equal(first.inMemory, true);
    assert.deepEqual(memDirectory(join(root, "a"), tmpfs), first);
    assert.notEqual(memDirectory(join(root, "b"), tmpfs).directory, first.directory);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("the mem directory of a data directory that is gone is removed at the next start of any worker", () => {
  const root = mkdtempSync(join(tmpdir(), "ringlight-mem-"));
  try {
    const tmpfs = join(root, "shm");
    for (const name of ["shm", "gone", "here"]) mkdirSync(join(root, name));
    const orphan = memDirectory(join(root, "gone"), tmpfs).directory;
    rmSync(join(root, "gone"), { recursive: true });
    memDirectory(join(root, "here"), tmpfs);
    assert.equal(existsSync(orphan), false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("without tmpfs the pages lie in the data directory", () => {
  const root = mkdtempSync(join(tmpdir(), "ringlight-mem-"));
  try {
    assert.deepEqual(memDirectory(root, join(root, "no-such")), { directory: join(root, "mem"), inMemory: false });
  } finally {
    rmSync(root, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { checkSpace, dataPaths, ensureSecrets, fileError, freeBytes, lockDataDir, makeDataDir } from "./data-dir.ts";

const scratch = mkdtempSync(path.join(os.tmpdir(), "ringlight-data-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

describe("makeDataDir", () => {
  it("refuses a place below /proc at once, where making directories would never end", () => {
    assert.throws(() => makeDataDir("/proc/x/y"), { code: "RL_BAD_REQUEST", message: /\/proc\/x\/y/ });
  });

  it("makes a directory for its owner alone, and says whether it is new", () => {
    const dir = path.join(scratch, "a/b");
    assert.equal(makeDataDir(dir), true);
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(makeDataDir(dir), false);
  });

  it("refuses a file, naming the remedy", () => {
    const file = path.join(scratch, "file");
    writeFileSync(file, "");
    assert.throws(() => makeDataDir(file), /is a file and no directory; choose another place with --data/);
  });

  it("says what a refused permission and a full disk ask for", () => {
    const of = (code: string) => fileError(Object.assign(new Error(code), { code }), "/data");
    assert.equal(of("EACCES").code, "RL_NO_PERMISSION");
    assert.equal(of("EROFS").code, "RL_NO_PERMISSION");
    assert.match(of("EACCES").message, /may not write to \/data; choose another directory with --data/);
    assert.equal(of("ENOSPC").code, "RL_DISK_FULL");
  });
});

describe("lockDataDir", () => {
  it("refuses a second cluster in the same directory, naming the first one's process", () => {
    const dir = path.join(scratch, "locked");
    makeDataDir(dir);
    const unlock = lockDataDir(dir);
    assert.throws(
      () => lockDataDir(dir),
      (error) => isRinglightError(error, "RL_CONFLICT") && error.message.includes(`process ${process.pid}`),
    );
    unlock();
    unlock();
    lockDataDir(dir)();
  });

  it("takes over the lock of a process that is gone, though its pid is in use again", () => {
    const dir = path.join(scratch, "stale");
    makeDataDir(dir);
    writeFileSync(dataPaths(dir).lock, JSON.stringify({ pid: process.pid, ticks: "1" }));
    lockDataDir(dir)();
    assert.equal(existsSync(dataPaths(dir).lock), false);
  });
});

describe("ensureSecrets", () => {
  it("makes token and key pair once, readable by their owner only", () => {
    const dir = path.join(scratch, "secrets");
    makeDataDir(dir);
    const first = ensureSecrets(dir);
    assert.match(first.keys.accessKeyId, /^RL[A-Z2-7]{18}$/);
    assert.match(first.keys.secretAccessKey, /^[A-Za-z0-9]{40}$/);
    assert.ok(first.token.length >= 32);
    for (const file of [dataPaths(dir).token, dataPaths(dir).credentials]) {
      assert.equal(statSync(file).mode & 0o777, 0o600);
    }
    assert.deepEqual(ensureSecrets(dir), first);
    assert.deepEqual(JSON.parse(readFileSync(dataPaths(dir).credentials, "utf8")), first.keys);
  });
});

describe("checkSpace", () => {
  it("passes what fits and refuses what does not, with both numbers", () => {
    checkSpace(scratch, 1, "free some");
    assert.throws(
      () => checkSpace(scratch, freeBytes(scratch) * 2, "free some"),
      (error) => isRinglightError(error, "RL_DISK_FULL") && /free and .* are needed; free some/.test(error.message),
    );
  });
});

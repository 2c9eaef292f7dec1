import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AuditLog } from "./audit-log.ts";
import { LoginLimit } from "./login-limit.ts";
import { SESSION_COOKIE, Sessions } from "./sessions.ts";

test("a session holds until its end, its log-out, a changed byte, or another token", () => {
  const sessions = new Sessions("token");
  const { session, value } = sessions.begin({ user: "a", role: "viewer" }, 1000);
  const cookie = `other=1; ${SESSION_COOKIE}=${value}`;
  assert.equal(sessions.find(cookie, 2000)?.user, "a");
  assert.equal(new Sessions("token").find(cookie, 2000)?.role, "viewer");
  assert.equal(new Sessions("other").find(cookie, 2000), undefined);
  const [body = "", signature = ""] = value.split(".");
  const forged = Buffer.from(JSON.stringify({ ...session, role: "operator" })).toString("base64url");
  assert.equal(sessions.find(`${SESSION_COOKIE}=${forged}.${signature}`, 2000), undefined);
  assert.equal(sessions.find(`${SESSION_COOKIE}=${body}.`, 2000), undefined);
  assert.equal(sessions.find(cookie, session.expiresMs), undefined);
  assert.ok(sessions.isCsrf(session, sessions.csrfOf(session)));
  assert.ok(!sessions.isCsrf({ id: "another" }, sessions.csrfOf(session)));
  sessions.end(session, 2000);
  assert.equal(sessions.find(cookie, 3000), undefined);
});

test("five failures of an address in a minute make it wait, and nobody else", () => {
  const limit = new LoginLimit();
  for (let at = 0; at < 5; at++) {
    assert.equal(limit.waitMs("a", at), 0);
    limit.failed("a", at);
  }
  assert.equal(limit.waitMs("a", 5), 60_000 - 5);
  assert.equal(limit.waitMs("b", 5), 0);
  assert.equal(limit.waitMs("a", 60_000), 0);
  for (let at = 0; at < 100; at++) limit.failed(`address ${at}`, 70_000);
  assert.ok(limit.waitMs("c", 70_001) > 0);
});

test("the audit log is there after a restart, a cut line is left out, and pages go back", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "audit-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const entry = {
    user: "u",
    role: "operator" as const,
    action: "mount.add",
    outcome: "ok" as const,
    detail: "",
    remote: "::1",
  };
  const log = new AuditLog(directory);
  for (let place = 0; place < 5; place++) log.add({ ...entry, subject: `m${place}` }, 1000 + place);
  appendFileSync(join(directory, "audit.jsonl"), '{"id":6,"atM');
  const again = new AuditLog(directory);
  again.add({ ...entry, subject: "after" }, 2000);
  const page = new AuditLog(directory).page({ limit: 2 });
  assert.deepEqual([page.entries.map(({ subject }) => subject), page.more], [["after", "m4"], true]);
  const older = again.page({ limit: 10, before: page.entries[1]!.id });
  assert.deepEqual([older.entries.map(({ subject }) => subject), older.more], [["m3", "m2", "m1", "m0"], false]);
  assert.equal(again.page({ user: "nobody" }).entries.length, 0);
  assert.equal(readFileSync(join(directory, "audit.jsonl"), "utf8").trim().split("\n").length, 7);
});

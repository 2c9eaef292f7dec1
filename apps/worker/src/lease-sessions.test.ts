import assert from "node:assert/strict";
import { test } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import { LEASE_TERM_MS, LeaseSessions } from "./lease-sessions.ts";

const never = new AbortController().signal;

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise(setImmediate);
  return settled;
}

test("a revocation waits for the holder's acknowledgement, and wakes its renewal", async () => {
  const sessions = new LeaseSessions(new FakeClock());
  const session = sessions.open();
  assert.equal(sessions.hold(session, "/m/k"), 0);
  const renewal = sessions.renew(session, 0, 500, never);
  const revoked = sessions.revoke("m", "k");
  assert.deepEqual(await renewal, [{ revision: 1, path: "/m/k" }]);
  assert.equal(await isSettled(revoked), false);
  void sessions.renew(session, 1, 500, never);
  await revoked;
  // Nobody holds it any more.
  await sessions.revoke("m", "k");
});

test("a holder that froze holds a revocation up for one term from its last renewal, and is told when it wakes", async () => {
  const clock = new FakeClock();
  const sessions = new LeaseSessions(clock);
  const session = sessions.open();
  await clock.advance(1_000);
  await sessions.renew(session, 0, 0, never);
  sessions.hold(session, "/m/k");
  await clock.advance(500);
  const revoked = sessions.revoke("m", "k");
  await clock.advance(LEASE_TERM_MS - 501);
  assert.equal(await isSettled(revoked), false);
  await clock.advance(1);
  await revoked;
  assert.deepEqual(await sessions.renew(session, 0, 500, never), [{ revision: 1, path: "/m/k" }]);
});

test("an answer that was begun before a revocation is known as stale by its revision", async () => {
  const sessions = new LeaseSessions(new FakeClock());
  const session = sessions.open();
  const revision = sessions.hold(session, "/m/k");
  void sessions.revoke("m", "k");
  assert.ok(revision < session.revision);
  assert.equal(sessions.hold(session, "/m/k"), session.revision);
});

test("a change of the ring takes all leases back, and the end of a session lets nobody wait", async () => {
  const sessions = new LeaseSessions(new FakeClock());
  const [one, two] = [sessions.open(), sessions.open()];
  sessions.hold(one, "/m/a");
  sessions.hold(two, "/m/b");
  const revoked = sessions.revokeAll();
  assert.deepEqual(one.pending, [{ revision: 1, path: "" }]);
  void sessions.renew(one, 1, 500, never);
  sessions.close(two.id);
  await revoked;
  assert.throws(
    () => sessions.get(two.id),
    (error) => isRinglightError(error, "RL_CONFLICT"),
  );
  assert.equal(sessions.size, 1);
});

test("more revocations than a session can queue become one of all its objects", async () => {
  const sessions = new LeaseSessions(new FakeClock());
  const session = sessions.open();
  for (let index = 0; index < 1_500; index++) {
    sessions.hold(session, `/m/${index}`);
    void sessions.revoke("m", String(index));
  }
  assert.ok(session.pending.length <= 1_000);
  assert.equal(session.pending[0]?.path, "");
  assert.equal(session.revision, 1_500);
});

test("a second write of an object waits for the revocation that the first one began", async () => {
  const sessions = new LeaseSessions(new FakeClock());
  const session = sessions.open();
  sessions.hold(session, "/m/k");
  const first = sessions.revoke("m", "k");
  const second = sessions.revoke("m", "k");
  assert.equal(await isSettled(first), false);
  assert.equal(await isSettled(second), false, "the holder may still serve what both writes replaced");
  await sessions.revoke("m", "another");
  await sessions.renew(session, 1, 0, never);
  await Promise.all([first, second]);
  await sessions.revoke("m", "k");
});

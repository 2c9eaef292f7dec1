import assert from "node:assert/strict";
import { test } from "node:test";
import { endTurn, sendAtEndOfTurn, sendInCompany } from "./end-of-turn.ts";

/** Notes what it sends. */
function senderOf(sent: string[], name: string) {
  return { sendNow: () => void sent.push(name) };
}

test("what is sent in a turn goes out in order, behind promises and before what is put off later", async () => {
  const sent: string[] = [];
  sendAtEndOfTurn(senderOf(sent, "first"));
  sendAtEndOfTurn(senderOf(sent, "second"));
  setImmediate(() => sent.push("work"));
  await Promise.resolve();
  assert.deepEqual(sent, []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, ["first", "second", "work"]);
});

test("the turn can be ended early, and what is sent while it ends waits for the next", async () => {
  const sent: string[] = [];
  const next = senderOf(sent, "next");
  sendAtEndOfTurn({
    sendNow: () => {
      sent.push("first");
      sendAtEndOfTurn(next);
    },
  });
  endTurn();
  assert.deepEqual(sent, ["first"]);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, ["first", "next"]);
  endTurn();
  assert.deepEqual(sent, ["first", "next"]);
});

test("what can be sent by itself is put off where turns have had several sends, or to find out", () => {
  const nothing = { sendNow: () => undefined };
  const putOff = (times: number) => {
    let count = 0;
    for (let time = 0; time < times; time++) {
      if (sendInCompany(nothing)) count++;
      endTurn();
    }
    return count;
  };
  assert.equal(putOff(320), 10, "alone: one in 32");
  for (let sends = 0; sends < 3; sends++) sendAtEndOfTurn(nothing);
  assert.ok(sendInCompany(nothing), "others wait already");
  endTurn();
  assert.ok(sendInCompany(nothing), "behind a turn with company");
  endTurn();
  assert.ok(!sendInCompany(nothing), "alone again");
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "@ringlight/core";
import { LeaseTable } from "./lease-table.ts";

class HandClock implements Clock {
  ms = 0;
  now = () => this.ms;
  monotonicMs = () => this.ms;
  sleep = () => Promise.resolve();
}

/** Ticks every 200 ms for a time, and returns the ids of the leases that ran out. */
function pass(clock: HandClock, table: LeaseTable, ms: number): number[] {
  const expired: number[] = [];
  for (const end = clock.ms + ms; clock.ms < end; ) {
    clock.ms += 200;
    for (const lease of table.tick()) {
      expired.push(lease.id);
      table.remove(lease.id);
    }
  }
  return expired;
}

describe("the lease table", () => {
  it("lets a lease run out after its TTL, and not while it is renewed", () => {
    const clock = new HandClock();
    const table = new LeaseTable(clock);
    const idle = table.grant(0, 3);
    const renewed = table.grant(42, 3);
    assert.deepEqual(pass(clock, table, 2_000), []);
    assert.equal(table.keepAlive(42), 3);
    assert.deepEqual(pass(clock, table, 2_000), [idle.id]);
    assert.equal(table.remainingS(renewed), 1);
    assert.deepEqual(pass(clock, table, 2_000), [42]);
    assert.equal(table.keepAlive(42), 0);
  });

  it("does not blame clients for its own sleep", () => {
    const clock = new HandClock();
    const table = new LeaseTable(clock);
    table.grant(1, 3);
    pass(clock, table, 1_000);
    clock.ms += 60_000;
    assert.deepEqual(pass(clock, table, 1_000), []);
    assert.deepEqual(pass(clock, table, 2_000), [1]);
  });

  it("refuses an id that is taken and a TTL beyond etcd's", () => {
    const table = new LeaseTable(new HandClock());
    table.grant(1, 3);
    assert.throws(() => table.grant(1, 3), /already exists/);
    assert.throws(() => table.grant(0, 1e10), /too large/);
    assert.throws(() => table.require(2), /not found/);
  });

  it("knows which keys hang on which lease", () => {
    const table = new LeaseTable(new HandClock());
    const first = table.grant(1, 3);
    const second = table.grant(2, 3);
    table.move("a", 0, 1);
    table.move("a", 1, 2);
    assert.deepEqual([...first.keys], []);
    assert.deepEqual([...second.keys], ["a"]);
    table.move("a", 2, 0);
    assert.deepEqual([...second.keys], []);
  });
});

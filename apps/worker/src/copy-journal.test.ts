import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ClusterView, UploadsNote } from "@ringlight/core";
import { FakeClock, waitFor } from "@ringlight/testing";
import { CopyJournal } from "./copy-journal.ts";
import { CopyNotes } from "./copy-notes.ts";

const root = mkdtempSync(join(tmpdir(), "ringlight-copies-"));
after(() => rmSync(root, { recursive: true, force: true }));

const DAY_MS = 24 * 60 * 60_000;
const plan = {
  ...{ source: "/a/k", sourceUri: "s3://a", version: '"1"', sizeBytes: 100 },
  ...{ target: "/b/k", targetUri: "s3://b", partBytes: 40 },
};
const part = (partNumber: number) => ({ partNumber, etag: `"${partNumber}"`, md5: `m${partNumber}` });

/** Notes of a cluster, in memory. */
class NoteBoard {
  readonly notes = new Map<string, UploadsNote>();
  readonly alive = new Set<string>();
  readonly clock = new FakeClock(Date.now());
  writes = 0;
  isAway = false;

  of(workerId: string): CopyNotes {
    this.alive.add(workerId);
    const workers = new Map([...this.alive].map((id) => [id, {}]));
    const registry = {
      view: () => ({ workers: new Map([...workers].filter(([id]) => this.alive.has(id))) }) as unknown as ClusterView,
      putUploads: async (note: UploadsNote) => {
        this.writes++;
        if (this.isAway) throw new Error("the registry is away");
        if (note.uploads.length === 0) this.notes.delete(note.workerId);
        else this.notes.set(note.workerId, note);
      },
      listUploads: async () => {
        if (this.isAway) throw new Error("the registry is away");
        return [...this.notes.values()];
      },
    };
    const notes = new CopyNotes({ workerId, registry, clock: this.clock, log: () => undefined });
    after(() => notes.close());
    return notes;
  }

  noted(workerId: string): string[] {
    return (this.notes.get(workerId)?.uploads ?? []).map(({ uploadId }) => uploadId).sort();
  }
}

function journalIn(name: string, { fails = false, board = new NoteBoard() } = {}) {
  const directory = join(root, name);
  const given: string[] = [];
  const giveUp = async (target: string, _: string, uploadId: string) => {
    if (fails) throw new Error("the store is away");
    given.push(`${target} ${uploadId}`);
  };
  const start = () => new CopyJournal(directory, giveUp, board.of(name));
  const journal = start();
  after(() => journal.close());
  return { directory, given, journal, start };
}

test("a copy that was interrupted is found with its parts, up to where its file is whole, and nobody else has it meanwhile", async () => {
  const { directory, given, journal, start } = journalIn("resumed");
  const first = await journal.open(plan);
  assert.deepEqual(first?.begun, []);
  await first?.begin("u1", []);
  await first?.add(part(2));
  await first?.add(part(1));
  assert.equal(await journal.open({ ...plan, version: '"2"' }), undefined, "one copy to a target at a time");
  first?.close();

  const [name = ""] = readdirSync(directory);
  const file = join(directory, name);
  const restarted = start();
  after(() => restarted.close());
  const second = await restarted.open(plan);
  assert.deepEqual(second?.begun, [{ uploadId: "u1", parts: [part(2), part(1)] }]);
  second?.close();
  truncateSync(file, readFileSync(file).length - 1);
  const third = await journal.open(plan);
  assert.deepEqual(third?.begun[0]?.parts, [part(2)]);
  await third?.end();
  assert.deepEqual([readdirSync(directory), given], [[], []]);
});

test("another version, or another store, is begun anew, and the upload of before is given up", async () => {
  for (const change of [{ version: '"2"' }, { sourceUri: "s3://c" }, { targetUri: "s3://c" }, { partBytes: 50 }]) {
    const { directory, given, journal } = journalIn(
      `changed-${JSON.stringify(change).length}${Object.keys(change)[0]}`,
    );
    const entry = await journal.open(plan);
    await entry?.begin("u1", []);
    entry?.close();
    const other = await journal.open({ ...plan, ...change });
    assert.deepEqual(other?.begun, []);
    assert.deepEqual([given, readdirSync(directory)], [["/b/k u1"], []]);
    other?.close();
  }
});

test("what nobody goes on with is given up after a day, and after a week of a store that is away only forgotten", async () => {
  const { directory, given, journal } = journalIn("old");
  const away = journalIn("away", { fails: true });
  for (const { journal: each } of [{ journal }, away]) {
    const entry = await each.open(plan);
    await entry?.begin("u1", [part(1)]);
    await each.sweep(Date.now() + 2 * DAY_MS);
    entry?.close();
    await each.sweep(Date.now() + DAY_MS / 2);
  }
  assert.deepEqual([given, readdirSync(directory).length], [[], 1], "neither one in use nor a young one");
  await journal.sweep(Date.now() + 2 * DAY_MS);
  assert.deepEqual([given, readdirSync(directory)], [["/b/k u1"], []]);
  await away.journal.sweep(Date.now() + 2 * DAY_MS);
  assert.equal(readdirSync(away.directory).length, 1);
  await away.journal.sweep(Date.now() + 8 * DAY_MS);
  assert.deepEqual(readdirSync(away.directory), []);
});

test("another worker finds what one has begun, and gives it up when nobody comes back to it", async () => {
  const board = new NoteBoard();
  const dead = journalIn("dead", { board });
  const taker = journalIn("taker", { board });
  const idle = journalIn("idle", { board });
  const other = { ...plan, target: "/b/other" };
  await (await dead.journal.open(plan))?.begin("u1", [part(1)]);
  await (await dead.journal.open(other))?.begin("u2", []);
  await board.clock.advance(5_000);
  await waitFor(() => board.noted("dead").length === 2);

  board.alive.delete("dead");
  const entry = await taker.journal.open(plan);
  assert.deepEqual(entry?.begun, [{ uploadId: "u1", parts: undefined }]);
  const changed = await idle.journal.open({ ...plan, version: '"2"' });
  assert.deepEqual(changed?.begun, [], "of another version nothing is taken over");
  changed?.close();
  await entry.begin("u1", [part(1)]);
  await board.clock.advance(5_000);
  await waitFor(() => board.noted("taker").length === 1);

  await idle.journal.sweep(Date.now());
  assert.deepEqual([idle.given, board.noted("dead")], [[], ["u1", "u2"]], "a day is not over");
  await board.clock.advance(DAY_MS);
  await idle.journal.sweep(Date.now());
  assert.deepEqual([idle.given, board.noted("dead")], [["/b/other u2"], []], "what was taken over is kept");
  // The one that was gone comes back, and leaves alone what another one is at.
  board.alive.add("dead");
  const back = dead.start();
  after(() => back.close());
  await back.sweep(Date.now() + 2 * DAY_MS);
  assert.deepEqual([dead.given, readdirSync(dead.directory)], [["/b/other u2"], []]);
  await entry.end();
  await board.clock.advance(5_000);
  await waitFor(() => board.noted("taker").length === 0);
});

test("copies go on while the registry is away, and are noted afterwards, however many by few writes", async () => {
  const board = new NoteBoard();
  board.isAway = true;
  const { journal } = journalIn("lonely", { board });
  const ids = Array.from({ length: 40 }, (_, index) => `u${index}`);
  for (const id of ids) {
    const entry = await journal.open({ ...plan, target: `/b/${id}` });
    assert.deepEqual(entry?.begun, []);
    await entry?.begin(id, []);
  }
  board.isAway = false;
  await waitFor(() => board.clock.sleeping > 0);
  await board.clock.advance(5_000);
  await waitFor(() => board.noted("lonely").length === ids.length);
  assert.ok(board.writes <= 3, `${board.writes} writes`);
});

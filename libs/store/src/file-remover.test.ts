import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileRemover } from "./file-remover.ts";

for (const isInMemory of [false, true]) {
  const where = isInMemory ? "in memory" : "on a disk";

  function remover(t: { after(clean: () => void): void }) {
    const directory = fs.mkdtempSync(join(tmpdir(), "ringlight-remover-"));
    t.after(() => fs.rmSync(directory, { recursive: true }));
    const file = (name: string | number) => {
      const path = join(directory, String(name));
      fs.writeFileSync(path, "page");
      return path;
    };
    return { directory, file, remover: new FileRemover(isInMemory) };
  }

  test(`${where}: files are removed after the call, in any number, and idle() waits for all of them`, async (t) => {
    const { directory, file, remover: files } = remover(t);
    const done: string[] = [];
    for (let at = 0; at < 500; at++) {
      const path = file(at);
      files.remove(path, at % 2 === 0 ? 4096 : 1024 * 1024, (error) => done.push(error?.message ?? path));
    }
    assert.equal(done.length, 0);
    assert.equal(files.pending, 500);
    await files.idle();
    assert.equal(files.pending, 0);
    assert.deepEqual(new Set(done), new Set(Array.from({ length: 500 }, (_, at) => join(directory, String(at)))));
    assert.deepEqual(fs.readdirSync(directory), []);
  });

  test(`${where}: settled() waits for the removal of its path alone, and a file that is gone counts as removed`, async (t) => {
    const { directory, file, remover: files } = remover(t);
    const path = file("page");
    const told: unknown[] = [];
    files.remove(path, 4096, (error) => told.push(error));
    files.remove(join(directory, "never"), 4096, (error) => told.push(error));
    assert.equal(files.settled(join(directory, "other")), undefined);
    await files.settled(path);
    assert.equal(fs.existsSync(path), false);
    assert.equal(files.settled(path), undefined);
    await files.idle();
    assert.deepEqual(told, [undefined, undefined]);
  });

  test(`${where}: what cannot be removed is told, and the rest is removed`, async (t) => {
    const { directory, file, remover: files } = remover(t);
    const stuck = join(directory, "stuck");
    fs.mkdirSync(stuck);
    const told = new Map<string, unknown>();
    for (const path of [file(1), stuck, file(2)]) files.remove(path, 4096, (error) => told.set(path, error?.code));
    await files.idle();
    assert.equal(told.size, 3);
    assert.ok(["EISDIR", "EPERM"].includes(String(told.get(stuck))));
    assert.deepEqual(fs.readdirSync(directory), ["stuck"]);
  });
}

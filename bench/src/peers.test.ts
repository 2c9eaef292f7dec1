/** The suite of peers with the real nginx and the real Varnish. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type PeersResult, peers } from "./peers.ts";
import { readRun } from "./results/run-directory.ts";

let out: string;
let result: PeersResult;

before(async () => {
  out = mkdtempSync(join(tmpdir(), "ringlight-peers-"));
  result = await peers({ out, rounds: 1, only: "small-objects", seconds: 0.3, scale: 0.05, progress: () => {} });
});

after(() => rmSync(out, { recursive: true, force: true }));

test("the same requests go to nginx's slice cache, Varnish, the plain store and Ringlight, in turn, and all are answered", () => {
  const [directories = []] = result.directories;
  const runs = directories.map(readRun);
  assert.deepEqual(
    runs.map(({ summary }) => summary.target),
    ["nginx slice cache", "Varnish", "plain store", "Ringlight"],
  );
  const [first] = runs;
  for (const { manifest, summary } of runs) {
    assert.equal(summary.state, "done");
    assert.notEqual(manifest.interleaved, "");
    assert.equal(manifest.interleaved, first?.manifest.interleaved);
    assert.equal(manifest.planDigest, first?.manifest.planDigest);
    const [round] = summary.rounds;
    assert.ok(
      round !== undefined && round.requests > 0 && round.errors === 0,
      `${summary.target}: ${round?.firstError}`,
    );
    assert.equal(round.bytes, round.requests * 4096);
  }
  // The caches are full before the first round.
  assert.equal(runs.at(-1)?.summary.rounds[0]?.server?.hitRate, 1);
});

test("the table has a line of ratios for each peer, and the report is one file", () => {
  const lines = result.text.split("\n");
  for (const peer of ["nginx slice cache", "Varnish", "plain store"]) {
    const line = lines.find((text) => text.startsWith(`small-objects  ${peer}`));
    assert.match(line ?? "", /\d+\.\d\d \(one round\) +\d+\.\d\d \(one round\)/, result.text);
  }
  const html = readFileSync(result.report, "utf8");
  assert.match(html, /nginx slice cache/);
  assert.doesNotMatch(html, /(src|href)="https?:/);
});

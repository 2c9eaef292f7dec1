import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@ringlight/core";
import { DirectServiceClient } from "@ringlight/proto";
import { ClientPool } from "@ringlight/rpc";
import { LeasedPages } from "./leased-pages.ts";

type Answer = (error: null, response: unknown) => void;

test("a lease is not believed when its revocation came in the same read", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-leases-"));
  const proofPath = join(directory, "proof");
  writeFileSync(proofPath, "proof");
  const clients = new ClientPool(DirectServiceClient, {});
  const client = clients.get("127.0.0.1:9");
  let renewal: Answer | undefined;
  const renewing = Promise.withResolvers<void>();
  let overtaken = false;
  const unary =
    (serve: (answer: Answer) => void) => (_request: unknown, _metadata: unknown, _options: unknown, answer: Answer) => {
      setImmediate(() => serve(answer));
      return { cancel: () => undefined };
    };
  Object.assign(client, {
    openLeases: unary((answer) => answer(null, { proofPath, session: "s", termMs: 60_000, workerId: "w" })),
    closeLeases: unary((answer) => answer(null, {})),
    renewLeases: unary((answer) => {
      renewal = answer;
      renewing.resolve();
    }),
    leasePages: unary((answer) => {
      const meta = { sizeBytes: 1, version: '"old"', etag: '"old"', modifiedMs: 0 };
      const metaJson = Buffer.from(JSON.stringify(meta));
      answer(null, { metaJson, freshMs: 60_000, revision: 0, pageBytes: 65_536, pages: [] });
      // The object is overwritten behind the lease, and both messages arrive together.
      if (overtaken) {
        overtaken = false;
        renewal?.(null, { revocations: [{ revision: 1, path: "/m/k" }] });
      }
    }),
  });
  const pages = new LeasedPages({
    sourceOf: () => ({ id: "w", client }),
    segmentBytes: () => 256 * 1024 * 1024,
    clock: systemClock,
  });
  t.after(async () => {
    await pages.close();
    clients.close();
    rmSync(directory, { recursive: true });
  });
  const first = pages.want("/m/other", 0, 0);
  await renewing.promise;
  await first;
  assert.ok(pages.object("/m/other") !== undefined, "a lease that nothing overtakes holds");
  overtaken = true;
  await pages.want("/m/k", 0, 0);
  assert.equal(pages.object("/m/k"), undefined);
});

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { UfsObservation } from "@ringlight/core";
import { openUfs } from "./index.ts";
import { ufsContract } from "./ufs-contract.ts";

ufsContract("file://", async () => {
  const directory = await mkdtemp(join(tmpdir(), "ufs-"));
  const observations: UfsObservation[] = [];
  const mount = { uri: `file://${directory}`, options: {}, credentials: { kind: "default" } } as const;
  const observe = (observation: UfsObservation) => observations.push(observation);
  const ufs = await openUfs(mount, { maxConnections: 4, observe });
  return {
    ufs,
    observations,
    put: async (key, bytes) => {
      await mkdir(dirname(join(directory, key)), { recursive: true });
      await writeFile(join(directory, key), bytes);
    },
    delete: (key) => rm(join(directory, key)),
    close: async () => {
      await ufs.close();
      await rm(directory, { recursive: true });
    },
  };
});

assert.ok(true);

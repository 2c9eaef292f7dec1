/**
 * Writers and readers of the same keys at three workers, each a process of its own, while one of them is killed, and while
 * one stands still for a while: no reader meets what was overwritten before it began to read, and no mix of two versions.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runWriteRace, type S3Origin, startS3Origin } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

const BUCKET = "raced";
const OPERATIONS = Number(process.env.RL_RACE_OPERATIONS ?? 6_000);
/** Longer than the pause that a worker overlooks, shorter than its lease. */
const STOPPED_MS = 3_000;

let origin: S3Origin;
let cluster: Cluster;

before(async () => {
  origin = await startS3Origin();
  origin.createBucket(BUCKET);
  cluster = await startCluster({
    portOffset: 1040,
    args: [
      "--no-console",
      "--workers",
      "3",
      "--mount",
      `/${BUCKET}=s3://${BUCKET},endpoint=${origin.endpoint},region=us-east-1,credentials=env:ORIGIN`,
    ],
    env: { ORIGIN_ACCESS_KEY_ID: origin.accessKeyId, ORIGIN_SECRET_ACCESS_KEY: origin.secretAccessKey },
  });
});

after(async () => {
  await cluster?.remove();
  await origin?.close();
});

function race(atHalf: (pid: number) => Promise<void>) {
  const { accessKeyId, secretAccessKey } = cluster;
  const { workers } = cluster.info();
  const doors = workers.map(({ s3 }) => ({ host: s3, credentials: { accessKeyId, secretAccessKey } }));
  const pid = workers[1]?.pid;
  assert.ok(pid);
  return runWriteRace({ doors, bucket: BUCKET, operations: OPERATIONS, atHalf: () => atHalf(pid) });
}

test("a worker that stands still serves nothing that was overwritten meanwhile", async () => {
  const counts = await race(async (pid) => {
    process.kill(pid, "SIGSTOP");
    await sleep(STOPPED_MS);
    process.kill(pid, "SIGCONT");
  });
  assert.ok(counts.get > OPERATIONS / 4 && counts.put > OPERATIONS / 8);
});

test("a worker that is killed leaves no reader with what was overwritten", async () => {
  const counts = await race(async (pid) => {
    process.kill(pid, "SIGKILL");
  });
  assert.ok(counts.get > OPERATIONS / 6 && counts.put > OPERATIONS / 12);
});

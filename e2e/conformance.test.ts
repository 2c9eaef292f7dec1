/**
 * The cases of e2e/conformance, each S3's documented behaviour asserted with boto3: buckets, listings, objects, conditions,
 * copies, uploads in parts, checksums, presigned URLs and forms, malformed headers. They run over buckets that the cases make
 * themselves, in a real S3 server and in a directory. What a store cannot do is named here with its reason, and the test
 * fails when such a case passes.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { spawnProcess, startRadosgw } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

const CASES = fileURLToPath(new URL("conformance", import.meta.url));
const RUN_MS = 300_000;

/** What radosgw 16 does not do, whoever asks it. */
const RADOSGW: Readonly<Record<string, string>> = {
  checksum_of_parts: "keeps no checksums of parts",
  checksum_of_the_whole_object_in_parts: "keeps no checksums of parts",
  copy_makes_the_checksum_that_is_asked_for: "makes no checksums",
  multipart_leaves_out_parts: "wants all parts that were sent",
  multipart_get_part: "knows no numbers of parts",
  multipart_tags_and_class: "forgets the tags of uploads in parts",
};

/** What names of files cannot be, and what a directory is. */
const FILES: Readonly<Record<string, string>> = {
  copy_source_in_all_spellings: "a name is a file or a directory",
  list_in_order_of_bytes: "a name is a file or a directory",
  list_prefix_that_ends_with_the_delimiter: "an empty directory is not listed",
  object_odd_keys: "no part of a path is empty or a dot",
};

interface Row {
  readonly case: string;
  readonly problem: string | null;
}

/** Runs every case and compares what failed with what has to. */
async function conforms(cluster: Cluster, excused: Readonly<Record<string, string>>): Promise<void> {
  const run = await spawnProcess("/usr/bin/python3", [CASES], {
    env: {
      S3_ENDPOINT: cluster.info().s3Endpoint,
      AWS_ACCESS_KEY_ID: cluster.accessKeyId,
      AWS_SECRET_ACCESS_KEY: cluster.secretAccessKey,
    },
  });
  await run.waitForLine(/^\{"done": true\}$/m, RUN_MS);
  await run.stop(5_000);
  const rows = run.output
    .split("\n")
    .filter((line) => line.startsWith('{"case"'))
    .map((line) => JSON.parse(line) as Row);
  const failed = rows.filter(({ problem }) => problem !== null);
  const ours = failed.filter((row) => excused[row.case] === undefined);
  assert.deepEqual(
    ours.map((row) => `${row.case}: ${row.problem}`),
    [],
  );
  const names = new Set(failed.map((row) => row.case));
  const gone = Object.keys(excused).filter((name) => !names.has(name));
  assert.deepEqual(gone, [], "these pass now");
  assert.ok(rows.length >= 145, `${rows.length} cases ran`);
}

const args = (buckets: string) => ["--no-console", "--workers", "2", "--buckets", buckets];

test("what clients do over buckets of radosgw is what S3 documents", async () => {
  const store = await startRadosgw();
  try {
    const cluster = await startCluster({
      portOffset: 1060,
      args: args(`s3://{bucket},endpoint=${store.endpoint},region=us-east-1,credentials=env:STORE`),
      env: { STORE_ACCESS_KEY_ID: store.accessKeyId, STORE_SECRET_ACCESS_KEY: store.secretAccessKey },
    });
    try {
      await conforms(cluster, RADOSGW);
    } finally {
      await cluster.remove();
    }
  } finally {
    await store.stop();
  }
});

test("what clients do over directories is what S3 documents", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-conformance-"));
  try {
    const cluster = await startCluster({ portOffset: 1060, args: args(`file://${directory}/{bucket}`) });
    try {
      await conforms(cluster, FILES);
    } finally {
      await cluster.remove();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

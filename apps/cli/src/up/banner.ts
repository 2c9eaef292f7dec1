/** What `ringlight up` prints when the cluster is ready. */
import path from "node:path";
import { defaultDataDir } from "@ringlight/config";
import { count } from "../format.ts";
import type { ClusterFile } from "./cluster-file.ts";
import type { KeyPair } from "./data-dir.ts";
import { DEMO_MOUNT } from "./demo/demo.ts";

/** What there is to tell. */
export interface ReadyInformation {
  readonly cluster: ClusterFile;
  readonly keys: KeyPair;
  readonly mounts: readonly string[];
  /** How page bytes leave on the S3 ports, in words. */
  readonly dataPath: string;
  readonly dataDir: string;
  readonly startedInMs: number;
}

function exampleCommands(information: ReadyInformation): string[] {
  const { cluster, mounts, dataDir } = information;
  const data = dataDir === defaultDataDir() ? "" : ` --data ${dataDir}`;
  const aws = `aws --endpoint-url ${cluster.s3Endpoint} s3`;
  const run = "npm run --silent ringlight --";
  if (mounts.includes(DEMO_MOUNT)) {
    const key = "tables/lineitem-00.parquet";
    return [
      `${aws} cp s3://${DEMO_MOUNT}/${key} /tmp/`,
      `${run} explain${data} /${DEMO_MOUNT}/${key}`,
      `${run} status${data}`,
    ];
  }
  const [mount] = mounts;
  if (mount === undefined) {
    return [
      `${run} mount add${data} /data s3://BUCKET/PREFIX --option region=REGION`,
      `${run} status${data}`,
      `${aws} ls`,
    ];
  }
  return [`${aws} ls s3://${mount}/`, `${run} ls -l${data} /${mount}`, `${run} status${data}`];
}

/** The text for people. */
export function readyText(information: ReadyInformation): string {
  const { cluster, keys, mounts, dataPath, startedInMs } = information;
  const logs = path.relative(process.cwd(), cluster.logs);
  return [
    "",
    `Ringlight is ready after ${(startedInMs / 1000).toFixed(1)} s: ${count(cluster.workers.length, "worker")}, ${mounts.length === 0 ? "no mount yet" : `mounted ${mounts.map((name) => `/${name}`).join(", ")}`}.`,
    "",
    `  Console      ${cluster.console ?? "not started (--no-console)"}`,
    `  S3 endpoint  ${cluster.s3Endpoint}`,
    `  Hits by      ${dataPath}`,
    `  Logs         ${logs.startsWith("..") ? cluster.logs : logs}/<process>.log`,
    "",
    "  export AWS_DEFAULT_REGION=us-east-1",
    `  export AWS_ACCESS_KEY_ID=${keys.accessKeyId}`,
    `  export AWS_SECRET_ACCESS_KEY=${keys.secretAccessKey}`,
    "",
    "To try, in another terminal:",
    ...exampleCommands(information).map((command) => `  ${command}`),
    "",
    "Ctrl-C stops everything in order; the next start finds the cache warm.",
    "",
  ].join("\n");
}

/** One line of JSON. The secret stays in the credentials file. */
export function readyJson(information: ReadyInformation): string {
  const { cluster, keys, mounts, dataPath, startedInMs } = information;
  return JSON.stringify({ event: "ready", ...cluster, accessKeyId: keys.accessKeyId, mounts, dataPath, startedInMs });
}

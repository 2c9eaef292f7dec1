/** cluster.json in the data directory: how commands on the same machine find the cluster. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { RinglightError } from "@ringlight/core";
import { dataPaths } from "./data-dir.ts";

/** A worker as cluster.json tells of it: addresses are host:port. */
export interface ClusterFileWorker {
  readonly id: string;
  readonly grpc: string;
  readonly s3: string;
  readonly rest: string;
  /** 0 while it is down. */
  readonly pid: number;
}

/** The content of cluster.json. */
export interface ClusterFile {
  readonly cluster: string;
  /** URL of the console; null without one. */
  readonly console: string | null;
  /** URL of the S3 endpoint that all workers share. */
  readonly s3Endpoint: string;
  /** host:port, with commas between several. */
  readonly registry: string;
  readonly workers: readonly ClusterFileWorker[];
  /** host:port */
  readonly scheduler: string;
  readonly tokenFile: string;
  readonly credentialsFile: string;
  readonly logs: string;
  /** Pid of the supervisor, and of every process by name. */
  readonly supervisor: number;
  readonly pids: Readonly<Record<string, number>>;
}

/** Writes cluster.json, whole at once. */
export function writeClusterFile(dataDir: string, content: ClusterFile): void {
  const file = dataPaths(dataDir).cluster;
  writeFileSync(`${file}.partial`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.partial`, file);
}

/** Removes cluster.json: the cluster is down. */
export function removeClusterFile(dataDir: string): void {
  rmSync(dataPaths(dataDir).cluster, { force: true });
}

/** Reads cluster.json. @throws RL_NO_WORKERS when no cluster runs there */
export function readClusterFile(dataDir: string): ClusterFile {
  const file = dataPaths(dataDir).cluster;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as ClusterFile;
  } catch (error) {
    throw new RinglightError(
      "RL_NO_WORKERS",
      `no cluster runs in ${dataDir}; start one with ringlight up, or name a worker with --endpoint host:port`,
      { cause: error },
    );
  }
}

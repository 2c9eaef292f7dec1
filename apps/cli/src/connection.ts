/** Finds the cluster that a command is about, and connects to it. */
import path from "node:path";
import { connect, type RinglightClient } from "@ringlight/client";
import { defaultDataDir, readToken } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";
import { traced } from "./command-telemetry.ts";
import { readClusterFile } from "./up/cluster-file.ts";

/** Options of every command that talks to a cluster. */
export interface ConnectionOptions {
  readonly endpoint?: string;
  readonly tokenFile?: string;
  readonly data?: string;
}

/** Where the cluster is, and what it asks for. */
export interface Target {
  readonly endpoints: readonly string[];
  readonly token: string | undefined;
  /** URL of the cluster's console, where it is known. */
  readonly console?: string;
}

/** Works out the target: option before environment before the data directory's cluster.json. @throws RL_NO_WORKERS, RL_BAD_REQUEST */
export function findTarget(
  options: ConnectionOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Target {
  const dataDir = options.data === undefined ? defaultDataDir(env) : path.resolve(options.data);
  // A data directory that is named goes before an endpoint of the environment.
  const text = options.endpoint ?? (options.data === undefined ? env.RINGLIGHT_ENDPOINT : undefined);
  const givenToken = options.tokenFile === undefined ? env.RINGLIGHT_TOKEN || undefined : readToken(options.tokenFile);
  if (text) {
    const endpoints = text.split(",").map((part) => part.trim());
    const wrong = endpoints.find((part) => !/^(\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}$/i.test(part));
    if (wrong !== undefined) {
      throw new RinglightError("RL_BAD_REQUEST", `"${wrong}" is not host:port of a worker's gRPC endpoint`);
    }
    return { endpoints, token: givenToken, ...(env.RINGLIGHT_CONSOLE_URL && { console: env.RINGLIGHT_CONSOLE_URL }) };
  }
  const cluster = readClusterFile(dataDir);
  const token = options.tokenFile === undefined ? readToken(cluster.tokenFile) : givenToken;
  const endpoints = cluster.workers.map(({ grpc }) => grpc);
  return { endpoints, token, ...(cluster.console !== null && { console: cluster.console }) };
}

/** Runs something with a connected client, as one trace, and closes it. */
export async function withClient<T>(
  options: ConnectionOptions,
  use: (client: RinglightClient) => Promise<T>,
): Promise<T> {
  const target = findTarget(options);
  return traced(receiverOf(target), async () => {
    const client = await connect(target);
    try {
      return await use(client);
    } finally {
      client.close();
    }
  });
}

/** Where the spans of a command go. */
export function receiverOf({
  console,
  token,
}: Target): { readonly url: string; readonly token: string | undefined } | undefined {
  return console === undefined ? undefined : { url: console, token };
}

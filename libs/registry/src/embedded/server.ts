/** The embedded registry: an etcd v3 subset served over gRPC from this process, for one machine. */
import { createServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type Clock, RinglightError, systemClock } from "@ringlight/core";
import type { RegistryLog } from "../registry-log.ts";
import { RegistryEngine } from "./engine.ts";
import type { HistoryLimits } from "./mvcc-store.ts";
import { addServices } from "./services.ts";
import { SqliteFile } from "./sqlite-file.ts";

/** How to start an embedded registry. */
export interface EmbeddedRegistryOptions {
  /** Address to listen on, without port. */
  readonly bind: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /** Where to keep the data; without it everything is lost with the process. */
  readonly dataDir?: string;
  readonly log?: RegistryLog;
  readonly clock?: Clock;
  /** Bounds of the history that watches can resume from. */
  readonly historyLimits?: HistoryLimits;
}

/** A running embedded registry. */
export interface EmbeddedRegistry {
  readonly port: number;
  /** Stores what is pending and stops. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts an embedded registry that speaks etcd's v3 API.
 * @throws RL_PORT_IN_USE, RL_NO_PERMISSION (port or directory), RL_CONFLICT (directory in use), RL_INTERNAL (damaged data).
 */
export async function startEmbeddedRegistry(options: EmbeddedRegistryOptions): Promise<EmbeddedRegistry> {
  const log: RegistryLog = options.log ?? (() => undefined);
  const disk = options.dataDir === undefined ? undefined : new SqliteFile(options.dataDir);
  const server = new Server({ "grpc.max_receive_message_length": 8 * 1024 * 1024 });
  let engine: RegistryEngine;
  try {
    engine = new RegistryEngine({
      clock: options.clock ?? systemClock,
      ...(disk === undefined ? {} : { disk }),
      ...(options.historyLimits === undefined ? {} : { historyLimits: options.historyLimits }),
      onDiskError: (error) => log("error", "the registry could not store a change", { error: String(error) }),
    });
  } catch (error) {
    disk?.close();
    throw error;
  }
  const host = options.bind.includes(":") ? `[${options.bind}]` : options.bind;
  let port = options.port;
  const endStreams = addServices(server, {
    engine,
    clientUrl: () => `http://${host}:${port}`,
    onError: (error) => log("debug", "a registry call failed", { error: String(error) }),
  });
  try {
    port = await bind(server, host, options.bind, options.port);
  } catch (error) {
    endStreams();
    engine.close();
    server.forceShutdown();
    throw error;
  }
  log("info", "the embedded registry listens", { address: `${host}:${port}`, dataDir: options.dataDir ?? "" });
  let closing: Promise<void> | undefined;
  const stop = async () => {
    endStreams();
    engine.close();
    // One turn for the last answers to leave.
    await new Promise((resolve) => setImmediate(resolve));
    server.forceShutdown();
  };
  return {
    port,
    close: () => {
      closing ??= stop();
      return closing;
    },
  };
}

async function bind(server: Server, host: string, bindHost: string, port: number): Promise<number> {
  // Asked of the system first, because grpc-js writes to standard error on its own account when it cannot bind.
  if (port !== 0) await tryPort(bindHost, port).catch((error: Error) => Promise.reject(explainBind(error, host, port)));
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(explainBind(error, host, port));
    });
  });
}

function tryPort(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ host, port }, () => probe.close(() => resolve()));
  });
}

function explainBind(error: Error, host: string, port: number): RinglightError {
  if (error.message.includes("EADDRINUSE")) {
    return new RinglightError(
      "RL_PORT_IN_USE",
      `port ${port} on ${host} is in use by another process; stop it, or give the registry another port`,
      { cause: error },
    );
  }
  if (error.message.includes("EACCES")) {
    return new RinglightError(
      "RL_NO_PERMISSION",
      `this user may not listen on port ${port} of ${host}; choose a port above 1023`,
      { cause: error },
    );
  }
  return new RinglightError("RL_BAD_CONFIG", `the registry cannot listen on ${host}:${port}: ${error.message}`, {
    cause: error,
  });
}

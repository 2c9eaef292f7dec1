/** Puts the console together: the trace store, the observer of the cluster, and one HTTP server in front of Next's pages. */
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ConsoleConfig, type LoadedConfig, packageVersion, type Running, readToken } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";
import { connectRegistry, SealedStore } from "@ringlight/registry";
import { createLogger, startTelemetry } from "@ringlight/telemetry";
import { TraceStore } from "@ringlight/trace-store";
import next from "next";
import { ClusterObserver } from "./cluster-observer.ts";
import { publishConsole } from "./console.ts";
import { EventLog } from "./event-log.ts";
import { recordEvents } from "./event-recorder.ts";
import { frontDoor } from "./front-door.ts";
import { FED_METRICS } from "./metric-feed.ts";

const CONSOLE_DIR = fileURLToPath(new URL("../..", import.meta.url));
/** Requests that last, such as event streams, are cut when they have not ended by themselves. */
const GRACE_MS = 1_000;

/** @throws RL_BAD_CONFIG without a build, RL_PORT_IN_USE, RL_NO_PERMISSION */
export async function startConsole(config: ConsoleConfig, loaded: LoadedConfig<ConsoleConfig>): Promise<Running> {
  const dev = process.env.NODE_ENV === "development";
  if (!dev && !existsSync(join(CONSOLE_DIR, ".next/BUILD_ID"))) {
    throw new RinglightError("RL_BAD_CONFIG", "the console is not built; run npx turbo run build");
  }
  const log = createLogger({
    service: "ringlight-console",
    instance: "console",
    level: config.logLevel,
    format: config.logFormat,
  });
  const token =
    config.tokenFile === undefined ? undefined : readToken(config.tokenFile, (message) => log.warn(message));
  const store = await openStore(config, (message) => log.warn(message));
  const registry = connectRegistry({ cluster: config.cluster, endpoints: config.registry });
  const observer = new ClusterObserver({ registry, endpoints: config.registry, token, metrics: store });
  const keys =
    token === undefined
      ? undefined
      : new SealedStore({ endpoints: config.registry, cluster: config.cluster, token, collection: "keys" });
  const events = new EventLog(join(config.dataDir, "events.jsonl"), { warn: (message) => log.warn(message) });
  const stopRecording = recordEvents(observer, events, token);
  publishConsole({ config, origins: loaded.origins, settings: loaded.settings, observer, token, keys, store, events });

  const pages = next({ dev, dir: CONSOLE_DIR, hostname: config.bind, port: config.port });
  await pages.prepare();
  const server = createServer(frontDoor({ config, token, store, pages: pages.getRequestHandler() }));
  await listen(server, config);
  const { port } = server.address() as { port: number };
  const telemetry = startTelemetry({
    service: "ringlight-console",
    instance: "console",
    version: packageVersion(new URL("../main.ts", import.meta.url).href),
    // The receiver makes no spans of its own requests, so that what comes here never makes more of it.
    console: { url: `http://${hostOf(config.bind)}:${port}`, token },
    warn: (message, fields) => log.warn(message, fields),
  });
  log.info("listening", { address: `http://${hostOf(config.bind)}:${port}` });
  return {
    close: async () => {
      await telemetry.close();
      publishConsole(undefined);
      stopRecording();
      await observer.close();
      await closeServer(server);
      await Promise.all([pages.close(), keys?.close(), registry.close(), store.close()]);
    },
  };
}

/** The store in the data directory, bounded as the settings say. */
function openStore(config: ConsoleConfig, log: (message: string) => void): Promise<TraceStore> {
  return TraceStore.open(
    {
      directory: join(config.dataDir, "telemetry"),
      recentBytes: config.traceRecentBytes,
      keptBytes: config.traceKeptBytes,
      logBytes: config.logBytes,
      metricBytes: config.metricBytes,
      recentMs: config.traceRecentAgeMs,
      keptMs: config.traceKeptAgeMs,
      logMs: config.logAgeMs,
      slowMs: config.traceSlowMs,
      ownMetrics: FED_METRICS,
    },
    log,
  );
}

/** An address as a client of this host reaches it. */
function hostOf(bind: string): string {
  if (bind === "0.0.0.0") return "127.0.0.1";
  if (bind === "::") return "[::1]";
  return bind.includes(":") ? `[${bind}]` : bind;
}

async function listen(server: Server, { bind, port }: ConsoleConfig): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") return reject(error);
    reject(new RinglightError("RL_PORT_IN_USE", `port ${port} on ${bind} is in use; choose another by --port`));
  });
  server.listen(port, bind, resolve);
  await promise;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  await closed;
  clearTimeout(cut);
}

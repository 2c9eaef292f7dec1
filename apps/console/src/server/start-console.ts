/** Puts the console together: the trace store, the observer of the cluster, and one HTTP server in front of Next's pages. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ConsoleConfig, type LoadedConfig, packageVersion, type Running, readToken } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";
import { connectJobStore, connectRegistry, SealedStore } from "@ringlight/registry";
import { traceCalls } from "@ringlight/rpc";
import { parseAccessKey } from "@ringlight/s3/access-keys";
import { createLogger, grpcTracer, MetricRegistry, processMetrics, startTelemetry } from "@ringlight/telemetry";
import { jaegerSource, type TraceSource, TraceStore, tempoSource } from "@ringlight/trace-store";
import next from "next";
import { AuditLog } from "./audit-log.ts";
import { requiresLogin } from "./caller.ts";
import { ClusterObserver } from "./cluster-observer.ts";
import { ConfigWatch } from "./config-watch.ts";
import { publishConsole } from "./console.ts";
import { EventLog } from "./event-log.ts";
import { recordEvents } from "./event-recorder.ts";
import { frontDoor } from "./front-door.ts";
import { JobWatch } from "./job-watch.ts";
import { Login, type LoginKey } from "./login.ts";
import { FED_METRICS } from "./metric-feed.ts";
import { settingsOf } from "./processes.ts";
import { Sessions } from "./sessions.ts";

const CONSOLE_DIR = fileURLToPath(new URL("../..", import.meta.url));
/** The benchmark harness of the same checkout. */
const BENCH_DIR = fileURLToPath(new URL("../../../../bench", import.meta.url));
/** Requests that last, such as event streams, are cut when they have not ended by themselves. */
const GRACE_MS = 1_000;
/** Senders of spans keep connections: of Node's five seconds a busy one notices the end too late, and its next request is lost. */
const KEEP_ALIVE_MS = 75_000;

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
  const required = requiresLogin(config);
  if (required && token === undefined) {
    throw new RinglightError(
      "RL_BAD_CONFIG",
      "a console with log-in needs the cluster token; name its file by tokenFile",
    );
  }
  const store = await openStore(config, (message) => log.warn(message));
  const registry = connectRegistry({ cluster: config.cluster, endpoints: config.registry });
  const jobs = new JobWatch(connectJobStore({ endpoints: config.registry, cluster: config.cluster }));
  const settingsWatch = new ConfigWatch({ view: () => registry.view(), ask: (asked) => settingsOf(token, asked) });
  const observer = new ClusterObserver({
    registry,
    endpoints: config.registry,
    token,
    metrics: store,
    jobs: () => jobs.jobs,
    telemetry: () => ({ refused: store.refused, failure: store.failure }),
    differences: () => settingsWatch.found,
  });
  const keys =
    token === undefined
      ? undefined
      : new SealedStore({ endpoints: config.registry, cluster: config.cluster, token, collection: "keys" });
  const events = new EventLog(join(config.dataDir, "events.jsonl"), { warn: (message) => log.warn(message) });
  const stopRecording = recordEvents(observer, events, token);
  const audit = new AuditLog(config.dataDir);
  const { origins, settings } = loaded;
  publishConsole({
    config,
    origins,
    settings,
    observer,
    token,
    keys,
    audit,
    store,
    backend: backendOf(config),
    events,
    benchDir: config.benchDir ?? join(BENCH_DIR, "results/runs"),
    benchHarness: join(BENCH_DIR, "src/main.ts"),
  });
  // Without a token nobody else reaches the console, and no session is ever begun.
  const sessions = new Sessions(token ?? randomBytes(32).toString("hex"));
  const login = new Login({ required, sessions, token, audit, findKey: (id) => findKey(keys, id) });

  const pages = next({ dev, dir: CONSOLE_DIR, hostname: config.bind, port: config.port });
  await pages.prepare();
  const metrics = new MetricRegistry();
  const measured = processMetrics();
  measured.register(metrics);
  const server = createServer(frontDoor({ token, store, login, sessions, metrics, pages: pages.getRequestHandler() }));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
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
  telemetry.register(metrics);
  traceCalls(grpcTracer);
  log.info("listening", { address: `http://${hostOf(config.bind)}:${port}` });
  return {
    close: async () => {
      await telemetry.close();
      measured.close();
      publishConsole(undefined);
      stopRecording();
      await observer.close();
      await closeServer(server);
      await Promise.all([
        pages.close(),
        keys?.close(),
        jobs.close(),
        settingsWatch.close(),
        registry.close(),
        store.close(),
      ]);
    },
  };
}

/** The backend of traces that the settings name. @throws RL_BAD_CONFIG without its URL */
function backendOf({ traceSource, traceSourceUrl }: ConsoleConfig): TraceSource | undefined {
  if (traceSource === "embedded") return undefined;
  if (traceSourceUrl === undefined) {
    throw new RinglightError("RL_BAD_CONFIG", `traceSource is ${traceSource}; name its URL by traceSourceUrl`);
  }
  return traceSource === "jaeger" ? jaegerSource(traceSourceUrl) : tempoSource(traceSourceUrl);
}

/** An access key as far as a log-in needs it. */
async function findKey(keys: SealedStore | undefined, accessKeyId: string): Promise<LoginKey | undefined> {
  if (keys === undefined || !/^[\w-]{1,128}$/.test(accessKeyId)) return undefined;
  const record = await keys.get(accessKeyId);
  if (record === undefined) return undefined;
  const { secretAccessKey, disabled, policy } = parseAccessKey(record.value);
  return { secretAccessKey, disabled: disabled === true, limited: policy !== undefined };
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

/** The console's one observer in this process: started with the server, or by the first request that needs it. */
import { type ConsoleConfig, loadConfig, readToken } from "@ringlight/config";
import { connectRegistry, SealedStore } from "@ringlight/registry";
import { ClusterObserver } from "./cluster-observer.ts";
import { errorBody } from "./error-body.ts";

/** What runs, once it runs. */
export interface RunningConsole {
  readonly config: ConsoleConfig;
  readonly observer: ClusterObserver;
  /** The cluster token, if the cluster has one. */
  readonly token: string | undefined;
  /** The access keys; without a token there is nothing to seal them with. */
  readonly keys: SealedStore | undefined;
}

/** Kept on globalThis: the bundler loads this module once for the start and once for the routes. */
const KEY = Symbol.for("ringlight.console");
const store = globalThis as unknown as Record<symbol, Promise<RunningConsole> | undefined>;

async function start(): Promise<RunningConsole> {
  const config = loadConfig("console", { argv: [] }).values;
  const token = config.tokenFile === undefined ? undefined : readToken(config.tokenFile);
  const registry = await connectRegistry({ cluster: config.cluster, endpoints: config.registry });
  const observer = new ClusterObserver({ registry, endpoints: config.registry, token });
  const keys =
    token === undefined
      ? undefined
      : new SealedStore({ endpoints: config.registry, cluster: config.cluster, token, collection: "keys" });
  const stop = () => {
    void observer.close().then(() => registry.close());
    void keys?.close();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return { config, observer, token, keys };
}

/** The running console. A start that failed is tried again by the next caller. @throws RL_BAD_CONFIG, RL_NO_PERMISSION */
export function runningConsole(): Promise<RunningConsole> {
  const running = store[KEY] ?? start();
  store[KEY] = running;
  running.catch((error) => {
    if (store[KEY] !== running) return;
    store[KEY] = undefined;
    const { code, message } = errorBody(error);
    process.stderr.write(`console: ${code}: ${message}\n`);
  });
  return running;
}

/** The observer of the running console. */
export async function observer(): Promise<ClusterObserver> {
  return (await runningConsole()).observer;
}

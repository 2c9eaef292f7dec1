/**
 * What the routes reach of the running console. The process puts it together (start-console.ts) before it listens, and
 * leaves it on globalThis: the bundler loads this module once more for the routes.
 */
import type { ConsoleConfig, LoadedConfig } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";
import type { SealedStore } from "@ringlight/registry";
import type { TraceSource, TraceStore } from "@ringlight/trace-store";
import type { AuditLog } from "./audit-log.ts";
import type { ClusterObserver } from "./cluster-observer.ts";
import type { EventLog } from "./event-log.ts";

/** What runs. */
export interface RunningConsole {
  readonly config: ConsoleConfig;
  /** Where each setting comes from. */
  readonly origins: LoadedConfig<ConsoleConfig>["origins"];
  /** This process's own settings, secrets masked. */
  readonly settings: LoadedConfig<ConsoleConfig>["settings"];
  readonly observer: ClusterObserver;
  /** The cluster token, if the cluster has one. */
  readonly token: string | undefined;
  /** The access keys; without a token there is nothing to seal them with. */
  readonly keys: SealedStore | undefined;
  /** Who changed what. */
  readonly audit: AuditLog;
  /** Traces, logs and metrics. */
  readonly store: TraceStore;
  /** Another backend of traces, if one is named. */
  readonly backend: TraceSource | undefined;
  /** What changed in the cluster, and when. */
  readonly events: EventLog;
  /** Directory of the benchmark harness's runs, and its program, which compares them. */
  readonly benchDir: string;
  readonly benchHarness: string;
}

const KEY = Symbol.for("ringlight.console");
const shared = globalThis as unknown as Record<symbol, RunningConsole | undefined>;

/** Makes the console known to the routes; undefined takes it away. */
export function publishConsole(running: RunningConsole | undefined): void {
  shared[KEY] = running;
}

/** The running console. @throws RL_INTERNAL where Next's server was started without the console's main.ts. */
export async function runningConsole(): Promise<RunningConsole> {
  const running = shared[KEY];
  if (running === undefined) {
    throw new RinglightError("RL_INTERNAL", "the console's server does not run; start it by `ringlight console`");
  }
  return running;
}

/** The observer of the running console. */
export async function observer(): Promise<ClusterObserver> {
  return (await runningConsole()).observer;
}

/** The trace store of the running console. */
export async function traceStore(): Promise<TraceStore> {
  return (await runningConsole()).store;
}

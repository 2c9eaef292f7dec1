/**
 * Loaded into a worker by --import, it puts the worker's telemetry into another state while it runs: `bench telemetry` compares the
 * states within one process. Never loaded otherwise.
 *
 * A state is what startTelemetry makes of the worker's own settings, which is all that a worker does differently with telemetry off:
 * it is closed and started again, with OTEL_SDK_DISABLED=true for "off". The hot path has no switch in it.
 *
 * It listens on the Unix socket BENCH_SWITCH, and answers each letter with a byte when it is done (see telemetry.ts for the letters).
 */
import { createServer } from "node:net";
import { isMainThread } from "node:worker_threads";
import { loadConfig } from "@ringlight/config";
import { startTelemetry, type Telemetry } from "@ringlight/telemetry";

const socket = process.env.BENCH_SWITCH;
const OFF = { OTEL_SDK_DISABLED: "true" };

/** The environment as it is for telemetry that is on. */
function environment(): NodeJS.ProcessEnv {
  const { OTEL_SDK_DISABLED: _, ...others } = process.env;
  return others;
}

if (socket !== undefined && isMainThread) {
  const config = loadConfig("worker").values;
  let current: Telemetry | undefined;
  /** As startWorker does it. */
  const start = (env: NodeJS.ProcessEnv, ratio: number) => {
    current = startTelemetry({
      service: "ringlight-worker",
      instance: config.id ?? "bench",
      version: "0.0.0",
      console: config.consoleUrl === undefined ? undefined : { url: config.consoleUrl },
      keep: { ratio, slowMs: config.traceSlowMs, missMs: config.traceMissesMs },
      paths: config.tracePaths,
      env,
    });
  };
  const to = async (letter: string) => {
    if (letter === "v") return;
    if (letter === "f") return current?.flush();
    await current?.close();
    if (letter === "0") start({ ...environment(), ...OFF }, config.traceRatio);
    else start(environment(), letter === "s" ? 1 : config.traceRatio);
  };
  createServer((connection) => {
    connection.on("data", (letters) => {
      to(letters.toString("latin1")).then(
        () => connection.write("!"),
        (error: unknown) => connection.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    });
    connection.on("error", (error) => process.stderr.write(`the switch of telemetry: ${error.message}\n`));
  })
    .listen(socket)
    .unref();
}

/** The frame of every process: reads the settings, starts, and ends in order when it is told to. */
import { isRinglightError } from "@ringlight/core";
import { type LoadedConfig, loadConfig } from "./load.ts";
import type { ProcessConfigs, ProcessName } from "./schemas.ts";

/** A process that runs. */
export interface Running {
  /** Ends in order. Called once. */
  close(): Promise<void>;
}

/** Longest time that an orderly end may take, milliseconds. */
const CLOSE_MS = 15_000;

/**
 * Runs a process until SIGTERM or SIGINT, or, with RINGLIGHT_PARENT_PIPE=1, until standard input closes (the parent is
 * gone). A second signal ends it at once. A start that fails prints one line and leaves with status 1, a bad setting
 * with status 2.
 */
export function runProcess<P extends ProcessName>(
  name: P,
  start: (values: ProcessConfigs[P], config: LoadedConfig<ProcessConfigs[P]>) => Promise<Running>,
): void {
  let running: Promise<Running> | undefined;
  let ending = false;
  const end = (cause: string) => {
    if (ending) process.exit(1);
    ending = true;
    const late = setTimeout(() => {
      process.stderr.write(`ringlight ${name}: did not end within ${CLOSE_MS / 1000} s of ${cause}; leaving at once\n`);
      process.exit(1);
    }, CLOSE_MS);
    late.unref();
    const close = async () => (await running)?.close();
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  try {
    const config = loadConfig(name);
    if (config.action !== "run") {
      process.stdout.write(`${config.action === "help" ? config.help() : config.print()}\n`);
      return;
    }
    process.on("SIGTERM", () => end("SIGTERM"));
    process.on("SIGINT", () => end("SIGINT"));
    if (process.env.RINGLIGHT_PARENT_PIPE === "1") {
      process.stdin.resume();
      process.stdin.once("end", () => end("the parent's end")).once("error", () => end("the parent's end"));
    }
    running = start(config.values, config);
    running.catch((error: unknown) => fail(name, error));
  } catch (error) {
    fail(name, error);
  }
}

function fail(name: string, error: unknown): never {
  if (isRinglightError(error)) {
    process.stderr.write(`ringlight ${name}: ${error.code}: ${error.message}\n  ${error.info.remedy}\n`);
    process.exit(error.code === "RL_BAD_CONFIG" ? 2 : 1);
  }
  process.stderr.write(
    `ringlight ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(1);
}

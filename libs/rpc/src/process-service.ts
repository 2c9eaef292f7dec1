/** What every process tells of itself over gRPC: its settings, its log level, and where its processor time goes. */
import { Session } from "node:inspector/promises";
import { RinglightError } from "@ringlight/core";
import {
  type CpuProfilePart,
  type CpuProfileRequest,
  type LogLevelState,
  type ProcessServiceServer,
  ProcessServiceService,
  type Setting,
} from "@ringlight/proto";
import { serverStream, unary } from "./handlers.ts";

/** Levels that can be set, the least severe first. */
const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

const DEFAULT_SECONDS = 10;
const LONGEST_SECONDS = 60;
/** Pieces of a profile, well below the largest message. */
const PART_BYTES = 256 * 1024;

/** The process that speaks. */
export interface ProcessServiceOptions {
  /** "worker", "scheduler" or "console". */
  readonly process: string;
  readonly id: string;
  /** Settings with secrets masked; read at each call. */
  readonly settings: () => readonly Setting[];
  readonly log: {
    level(): string;
    setLevel(level: Level): void;
    info(message: string, fields?: Record<string, unknown>): void;
  };
}

/** The service and its implementation, to be served beside the process's own. */
export function processService(options: ProcessServiceOptions): [typeof ProcessServiceService, ProcessServiceServer] {
  const configured = options.log.level();
  const logLevel = (): LogLevelState => ({ level: options.log.level(), configured });
  let profiling = false;

  async function* profile({ seconds }: CpuProfileRequest, signal: AbortSignal): AsyncGenerator<CpuProfilePart> {
    const wanted = seconds === 0 ? DEFAULT_SECONDS : seconds;
    if (wanted > LONGEST_SECONDS) {
      throw new RinglightError("RL_BAD_REQUEST", `a profile takes 1 to ${LONGEST_SECONDS} s, not ${wanted}`);
    }
    // The inspector knows one profiler a thread.
    if (profiling)
      throw new RinglightError("RL_OVERLOADED", "a profile of this process is being taken; ask again later");
    profiling = true;
    const session = new Session();
    try {
      session.connect();
      await session.post("Profiler.enable");
      await session.post("Profiler.start");
      options.log.info("a CPU profile is taken", { seconds: wanted });
      await pause(wanted * 1000, signal);
      const { profile: taken } = await session.post("Profiler.stop");
      const bytes = Buffer.from(JSON.stringify(taken));
      for (let offset = 0; offset < bytes.length; offset += PART_BYTES) {
        yield { data: bytes.subarray(offset, offset + PART_BYTES) };
      }
    } finally {
      session.disconnect();
      profiling = false;
    }
  }

  return [
    ProcessServiceService,
    {
      getSettings: unary(async () => ({
        process: options.process,
        id: options.id,
        settings: [...options.settings()],
        logLevel: logLevel(),
      })),
      setLogLevel: unary(async ({ level }) => {
        const wanted = level === "" ? configured : level;
        const known = LEVELS.find((candidate) => candidate === wanted);
        if (known === undefined) {
          throw new RinglightError("RL_BAD_REQUEST", `"${level}" is no level; it is one of ${LEVELS.join(", ")}`);
        }
        const before = options.log.level();
        const say = () => options.log.info("the log level was changed", { from: before, to: known });
        // Said under whichever of the two levels shows it.
        const shown = before === "debug" || before === "info";
        if (before !== known && shown) say();
        options.log.setLevel(known);
        if (before !== known && !shown) say();
        return logLevel();
      }),
      takeCpuProfile: serverStream<CpuProfileRequest, CpuProfilePart>((request, { signal }) =>
        profile(request, signal),
      ),
    },
  ];
}

/** Waits; rejects with the signal's reason when it aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

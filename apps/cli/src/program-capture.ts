/** The commands of captures: start, stop and status. */
import type { Command } from "commander";
import type { StartCaptureOptions, StopCaptureOptions } from "./commands/capture.ts";
import type { CommonOptions } from "./commands/output.ts";
import { addExamples } from "./docs.ts";

/** Adds the commands. @param talking adds the options of every command that talks to a cluster */
export function addCapture(program: Command, talking: (command: Command) => Command): void {
  const capture = program
    .command("capture")
    .description(
      "Record what the workers serve, to replay it or to size a cache by it (bench replay, bench simulate).",
    );
  addExamples(
    talking(capture.command("start"))
      .description("Begin to record on every worker: time, path, range, client and outcome of each request.")
      .option("--hash-paths", "record hashes in place of paths")
      .option("--max-bytes <size>", "end of a worker's file (default 256MiB)")
      .option("--max-duration <duration>", "end of the recording (default 1h)")
      .action(async (options: StartCaptureOptions) => (await import("./commands/capture.ts")).captureStart(options)),
    ["ringlight capture start", "ringlight capture start --hash-paths --max-duration 15m"],
  );
  addExamples(
    talking(capture.command("stop"))
      .description("End the recording on every worker.")
      .option("--out <dir>", "fetch the workers' files into this directory")
      .action(async (options: StopCaptureOptions) => (await import("./commands/capture.ts")).captureStop(options)),
    ["ringlight capture stop --out captures/"],
  );
  addExamples(
    talking(capture.command("status"))
      .description("Show what every worker records, or recorded last.")
      .action(async (options: CommonOptions) => (await import("./commands/capture.ts")).captureStatus(options)),
    ["ringlight capture status --json"],
  );
}

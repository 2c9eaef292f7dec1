/** The tree of `ringlight config`: names, options, help and examples. */
import type { Command } from "commander";
import type { CommonOptions } from "./commands/output.ts";
import { addExamples } from "./docs.ts";

/** Adds `ringlight config`. @param talking adds the options of every command that talks to a cluster */
export function addConfig(program: Command, talking: (command: Command) => Command): void {
  const config = program
    .command("config")
    .description("Show settings of processes that run; change a log level; take a CPU profile.");
  addExamples(
    talking(config.command("show"))
      .description("Show each setting with its value, origin and default; secrets are masked.")
      .argument("[process]", "id of a worker or scheduler (default all)")
      .option("--changed", "only what is not the default")
      .action(async (id: string | undefined, options: CommonOptions & { changed?: boolean }) => {
        await (await import("./commands/config.ts")).configShow(id, options);
      }),
    ["ringlight config show worker-1 --changed"],
  );
  addExamples(
    talking(config.command("log-level"))
      .description("Show the log level of a process, or change it until the process ends.")
      .argument("<process>", "id of a worker or scheduler")
      .argument("[level]", "debug, info, warn or error; configured goes back to that of its start")
      .action(async (id: string, level: string | undefined, options: CommonOptions) => {
        await (await import("./commands/config.ts")).configLogLevel(id, level, options);
      }),
    ["ringlight config log-level worker-1 debug"],
  );
  addExamples(
    talking(config.command("profile"))
      .description("Take a CPU profile of a process and write it to a file.")
      .argument("<process>", "id of a worker or scheduler")
      .option("--seconds <n>", "how long to sample, 1 to 60 (default 10)")
      .option("--out <file>", "file to write (default <process>.cpuprofile)")
      .action(async (id: string, options: CommonOptions & { seconds?: string; out?: string }) => {
        await (await import("./commands/config.ts")).configProfile(id, options);
      }),
    ["ringlight config profile worker-1 --seconds 5"],
  );
}

/** The commands that ask the console for what it keeps: traces, logs, events, and who changed what. */
import type { Command } from "commander";
import type { AuditOptions, EventsOptions } from "./commands/events.ts";
import type { LogsOptions } from "./commands/logs.ts";
import type { TracesOptions } from "./commands/traces.ts";
import type { ConsoleOptions } from "./console-connection.ts";
import { addExamples } from "./docs.ts";

const MOMENT = "now, now-1h, a date, or milliseconds since 1970";

function repeated(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** Options of every command that asks the console. */
function asking(command: Command): Command {
  return command
    .option("--json", "print JSON")
    .option("--console <url>", "URL of the console (or RINGLIGHT_CONSOLE_URL)")
    .option("--token-file <file>", "file with the cluster token (or RINGLIGHT_TOKEN)")
    .option("--data <dir>", "data directory of a cluster on this machine (or RINGLIGHT_DATA; default .ringlight)");
}

/** Options of a range of time. */
function ranged(command: Command): Command {
  return command.option("--from <time>", MOMENT).option("--to <time>", MOMENT);
}

function addTraces(program: Command): void {
  addExamples(
    asking(ranged(program.command("traces")))
      .description("Search the traces that the console keeps, the newest first.")
      .option("--service <name>", "with a span of this service, such as ringlight-worker")
      .option("--instance <id>", "with a span of this process: a worker's id")
      .option("--name <name>", "with a span of this name; a * at its end stands for the rest")
      .option("--min <duration>", "that took as long or longer")
      .option("--max <duration>", "that took as long or shorter")
      .option("--outcome <outcome>", "hit, miss, joined or bypass")
      .option("--reason <reason>", "of a miss; docs/miss-reasons.md lists them")
      .option("--mount <name>", "of this mount, without its /")
      .option("--path <path>", "of this path, /mount/key")
      .option("--job <id>", "of this job")
      .option("--attr <key=value>", "with this attribute on some span, repeatable", repeated)
      .option("--error [true|false]", "with failed spans, or without")
      .option("--limit <n>", "at most so many, up to 1000 (default 50)")
      .action(async (options: TracesOptions) => (await import("./commands/traces.ts")).traces(options)),
    [
      "ringlight traces --outcome miss --from now-15m",
      "ringlight traces --min 250ms --mount demo --json",
      "ringlight traces --error --console http://console.example:19999",
    ],
  );
  addExamples(
    asking(program.command("trace"))
      .description("Show one trace: its spans as a tree, or with --json all that is known of them.")
      .argument("<id>", "trace id, 32 hex digits")
      .action(async (id: string, options: ConsoleOptions) => (await import("./commands/traces.ts")).trace(id, options)),
    [
      "ringlight trace 4bf92f3577b34da6a3ce929d0e0e4736",
      "ringlight trace 4bf92f3577b34da6a3ce929d0e0e4736 --json > trace.json",
    ],
  );
}

/** Adds the commands. */
export function addTelemetry(program: Command): void {
  addTraces(program);
  addExamples(
    asking(ranged(program.command("logs")))
      .description("Show log lines of all processes as the console received them.")
      .option("-f, --follow", "go on with those that come, until Ctrl-C")
      .option("--text <text>", "with this text in the message or a field")
      .option("--level <level>", "this level and the more severe ones: debug, info, warn, error")
      .option("--service <name>", "of this service, such as ringlight-worker")
      .option("--instance <id>", "of this process: a worker's id")
      .option("--trace <id>", "of this trace")
      .option("--limit <n>", "at most so many, up to 5000 (default 200)")
      .action(async (options: LogsOptions) => (await import("./commands/logs.ts")).logs(options)),
    ["ringlight logs --level warn --from now-1h", "ringlight logs -f --instance worker-2"],
  );
  addExamples(
    asking(ranged(program.command("events")))
      .description("Show what changed in the cluster, the newest first.")
      .option(
        "--kind <kinds>",
        "a comma list of epoch, worker, mount, job, election, config, problem, registry, console",
      )
      .option("--text <text>", "with this text")
      .option("--limit <n>", "at most so many (default 200)")
      .action(async (options: EventsOptions) => (await import("./commands/events.ts")).events(options)),
    ["ringlight events --kind worker,epoch --from now-24h"],
  );
  addExamples(
    asking(program.command("audit"))
      .description("Show who changed what through the console, the newest first.")
      .option("--user <user>", "an access key's id, cluster-token or local")
      .option("--action <action>", "such as mount.add or login")
      .option("--limit <n>", "at most so many (default 100)")
      .action(async (options: AuditOptions) => (await import("./commands/events.ts")).audit(options)),
    ["ringlight audit --action mount.add"],
  );
}

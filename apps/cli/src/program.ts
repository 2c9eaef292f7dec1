/** The command tree: names, options, help and examples. What the commands do is in commands/ and up/. */
import { MOUNT_OPTIONS_HELP } from "@ringlight/core";
import { Command } from "commander";
import type { CacheOptions } from "./commands/cache.ts";
import type { CommonOptions } from "./commands/output.ts";
import type { RingOptions } from "./commands/ring.ts";
import { completionScript, type Shell } from "./completion.ts";
import { addConfig } from "./config-commands.ts";
import { addExamples } from "./docs.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { addKeys } from "./key-commands.ts";
import { addCapture } from "./program-capture.ts";
import { addJobs } from "./program-jobs.ts";
import { addPolicies } from "./program-policies.ts";
import { addTelemetry } from "./program-telemetry.ts";
import type { RawUpOptions } from "./up/options.ts";

/** Takes the exit code of commands that have one of their own. */
export type SetExitCode = (code: number) => void;

function repeated(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** Options of every command that talks to a cluster. */
function talking(command: Command): Command {
  return command
    .option("--json", "print JSON")
    .option("--endpoint <host:port>", "gRPC address of a worker (or RINGLIGHT_ENDPOINT)")
    .option("--token-file <file>", "file with the cluster token (or RINGLIGHT_TOKEN)")
    .option("--data <dir>", "data directory of a cluster on this machine (or RINGLIGHT_DATA; default .ringlight)");
}

function addUp(program: Command, setExitCode: SetExitCode): void {
  const command = program
    .command("up")
    .description("Start a whole cluster on this machine: registry, workers, scheduler and console.")
    .option(
      "--mount <spec>",
      `mount a store: /name=URI[,option...], repeatable; options: ${MOUNT_OPTIONS_HELP}`,
      repeated,
    )
    .option(
      "--buckets <spec>",
      "let S3 clients make buckets: a mount's URI with {bucket} in it, and options, as s3://{bucket},endpoint=URL or file:///srv/{bucket}",
    )
    .option("--workers <n>", "number of workers (default 3)")
    .option("--mem <size>", "mem tier of each worker (default 256MiB, less where memory is short)")
    .option("--ssd <size>", "ssd tier of each worker (default 2GiB, less where the disk is small)")
    .option("--data <dir>", "data directory (or RINGLIGHT_DATA; default .ringlight)")
    .option("--console-port <port>", "port of the console (default 19999)")
    .option("--s3-port <port>", "port of the S3 endpoint that all workers share (default 29998)")
    .option("--port-offset <n>", "added to every port that is not set, for a second cluster on one machine (default 0)")
    .option("--no-demo-traffic", "no demo reader")
    .option("--no-console", "no console")
    .option("--no-restart", "leave processes that died dead")
    .option("--restart-after <duration>", "pause before a process that died is started again (default three leases)")
    .option("--registry <endpoints>", "use this etcd, host:port[,host:port...], and not the embedded registry")
    .option("--cluster <name>", "name of the cluster within the registry (default default)")
    .option("--absence <duration>", "how long a worker may be away before it leaves the ring (default 2m)")
    .option("--lease-ttl <duration>", "how long a silent process counts as alive (default 5s)")
    .option("--json", "print one line of JSON when ready; everything else goes to standard error")
    .action(async (options: RawUpOptions) => {
      const [{ up }, { parseUpOptions }] = await Promise.all([import("./up/up.ts"), import("./up/options.ts")]);
      setExitCode(await up(parseUpOptions(options)));
    });
  addExamples(command, [
    "ringlight up",
    "ringlight up --mount /lake=s3://my-bucket/tables,region=eu-central-1,credentials=profile:lake",
    "ringlight up --mount /ceph=s3://b,endpoint=http://10.0.0.5:7480,addressing=path,credentials=env:CEPH --workers 5",
    "ringlight up --data /tmp/second --port-offset 1000 --no-demo-traffic",
  ]);
}

function addMounts(program: Command): void {
  const mount = program.command("mount").description("List, add and remove mounts.");
  addExamples(
    talking(mount.command("ls"))
      .description("List the mounts.")
      .option("--check", "ask the store behind each mount from every worker")
      .action(async (options: CommonOptions & { check?: boolean }) => {
        await (await import("./commands/mount.ts")).mountList(options);
      }),
    ["ringlight mount ls", "ringlight mount ls --check --json"],
  );
  addExamples(
    talking(mount.command("add"))
      .description("Mount a store, once it has answered.")
      .argument("<name>", "/name: the first element of paths, and the S3 bucket's name")
      .argument("<uri>", "s3://bucket/prefix or file:///directory")
      .option("--option <name=value>", `repeatable: ${MOUNT_OPTIONS_HELP}`, repeated)
      .option("--dry-run", "only ask the store, record nothing")
      .action(async (name: string, uri: string, options: CommonOptions & { option?: string[]; dryRun?: boolean }) => {
        await (await import("./commands/mount.ts")).mountAdd(name, uri, options);
      }),
    [
      "ringlight mount add /lake s3://my-bucket/tables --option region=eu-central-1",
      "ringlight mount add /nfs file:///mnt/nfs --option freshness=strict --option read-only",
    ],
  );
  addExamples(
    talking(mount.command("rm"))
      .description("Remove a mount; what is in the store stays.")
      .argument("<name>", "/name of the mount")
      .action(async (name: string, options: CommonOptions) => {
        await (await import("./commands/mount.ts")).mountRemove(name, options);
      }),
    ["ringlight mount rm /lake"],
  );
}

function addReading(program: Command): void {
  addExamples(
    talking(program.command("status"))
      .description("Show the workers, their tiers and hit rates, mounts, schedulers and the registry.")
      .action(async (options: CommonOptions) => (await import("./commands/status.ts")).status(options)),
    ["ringlight status", "ringlight status --json --endpoint 10.0.0.7:29999 --token-file /etc/ringlight/token"],
  );
  addExamples(
    talking(program.command("ls"))
      .description("List mounts, directories and objects.")
      .argument("[path]", "/, /mount or /mount/prefix", "/")
      .option("-l, --long", "with size, cached share and time")
      .option("-r, --recursive", "all objects below, not one level")
      .option("--bytes", "exact sizes")
      .action(async (path: string, options: CommonOptions) => (await import("./commands/ls.ts")).ls(path, options)),
    ["ringlight ls", "ringlight ls -l /demo/tables", "ringlight ls -r /demo --json"],
  );
  addExamples(
    talking(program.command("stat"))
      .description("Show an object's version, size and cached share.")
      .argument("<path>", "/mount/key")
      .action(async (path: string, options: CommonOptions) => (await import("./commands/stat.ts")).stat(path, options)),
    ["ringlight stat /demo/tables/lineitem-00.parquet"],
  );
  addExamples(
    talking(program.command("cat"))
      .description("Write an object's bytes to standard output.")
      .argument("<path>", "/mount/key")
      .option("--offset <bytes>", "first byte, for example 4096 or 1MiB (default 0)")
      .option("--length <bytes>", "number of bytes (default all)")
      .action(async (path: string, options: CommonOptions) => (await import("./commands/cat.ts")).cat(path, options)),
    ["ringlight cat /demo/README.md", "ringlight cat /demo/logs/web-00.jsonl --offset 1MiB --length 64KiB | head"],
  );
  addExamples(
    talking(program.command("cp"))
      .description("Copy an object, or with -r all below a directory, to local files.")
      .argument("<source>", "/mount/key, or /mount/directory with -r")
      .argument("<target>", "local file or directory")
      .option("-r, --recursive", "all objects below the source")
      .action(async (source: string, target: string, options: CommonOptions) => {
        await (await import("./commands/cp.ts")).cp(source, target, options);
      }),
    ["ringlight cp /demo/tables/lineitem-00.parquet .", "ringlight cp -r /demo/images /tmp/images"],
  );
  addExamples(
    talking(program.command("explain"))
      .description(
        "Say where a path lives, what of it is cached, and what its next read will meet and why; or what a read met.",
      )
      .argument("<path>", "/mount/key, or the trace id or request id of a read")
      .action(async (path: string, options: CommonOptions) => {
        await (await import("./commands/explain.ts")).explain(path, options);
      }),
    ["ringlight explain /demo/tables/lineitem-00.parquet", "ringlight explain 4bf92f3577b34da6"],
  );
  addExamples(
    talking(program.command("cache"))
      .description("Show what is cached, by path, age and use, and what is hot; or what more or less room would do.")
      .argument("[path]", "/, /mount or /mount/prefix", "/")
      .option("--depth <n>", "path elements below the path that are told apart, 1 to 4 (default 1)")
      .option("--mrc", "the miss-ratio curve: the hit rate by size of the tiers, and the working set")
      .action(async (path: string, options: CacheOptions) => {
        await (await import("./commands/cache.ts")).cache(path, options);
      }),
    ["ringlight cache", "ringlight cache /demo --depth 2", "ringlight cache --mrc"],
  );
  addExamples(
    talking(program.command("ring"))
      .description("Show the ring's members and shares, who owns a path, or what a change of the members would move.")
      .argument("[path]", "/mount/key")
      .option("--add <n>", "what if so many workers were added")
      .option("--weight <w>", "weight of each that is added (default 1)")
      .option("--remove <id>", "what if this worker were removed, repeatable", repeated)
      .option("--reweigh <id=w>", "what if this worker had that weight, repeatable", repeated)
      .action(async (path: string | undefined, options: RingOptions) => {
        await (await import("./commands/ring.ts")).ring(path, options);
      }),
    ["ringlight ring", "ringlight ring /demo/tables/lineitem-00.parquet --json", "ringlight ring --add 2"],
  );
}

const PROCESSES = [
  ["worker", "Run one worker in the foreground, with the flags of docs/configuration.md."],
  ["scheduler", "Run one scheduler in the foreground, with the flags of docs/configuration.md."],
  ["registry", "Run the embedded registry in the foreground: --port, --bind, --data-dir."],
  ["console", "Run the console in the foreground, with the flags of docs/configuration.md."],
  ["bench", "Run a workload, a trace or a benchmark, and compare the results; bench --help says more."],
] as const;

function addProcesses(program: Command, setExitCode: SetExitCode): void {
  for (const [name, about] of PROCESSES) {
    program
      .command(name)
      .description(about)
      .argument("[flags...]", "flags of the process; --help lists them")
      .allowUnknownOption()
      .passThroughOptions()
      .helpOption(false)
      .action(async (flags: string[]) => {
        const { runApp } = await import("./commands/process.ts");
        setExitCode(await runApp(name, flags));
      });
  }
}

/** Makes the command tree. */
export function buildProgram(setExitCode: SetExitCode): Command {
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`);
  const program = new Command("ringlight")
    .description("Ringlight: a distributed read cache in front of object stores that explains itself.")
    .enablePositionalOptions()
    .showHelpAfterError("(--help lists what there is)")
    .addHelpText("after", `\nExit codes:\n${codes.join("\n")}`)
    .exitOverride();
  addUp(program, setExitCode);
  addReading(program);
  addCapture(program, talking);
  addTelemetry(program);
  addMounts(program);
  addKeys(program);
  addConfig(program, talking);
  addJobs(program, talking, setExitCode);
  addPolicies(program, talking);
  addProcesses(program, setExitCode);
  const completion = program
    .command("completion")
    .description("Print the completion script of a shell.")
    .argument("<shell>", "bash or zsh")
    .action((shell: string) => {
      if (shell !== "bash" && shell !== "zsh")
        completion.error(`error: no completion for ${shell}; there is bash and zsh`);
      process.stdout.write(completionScript(program, shell as Shell));
    });
  addExamples(completion, ["source <(ringlight completion bash)", "source <(ringlight completion zsh)"]);
  inheritExit(program);
  return program;
}

/** Usage errors of every command come back as exceptions, with the exit code of the table. */
function inheritExit(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride();
    inheritExit(child);
  }
}

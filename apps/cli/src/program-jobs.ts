/** The commands of jobs: load, free, sync, scrub and job. */
import type { Command } from "commander";
import type { SubmitOptions } from "./commands/job.ts";
import type { CommonOptions } from "./commands/output.ts";
import { addExamples } from "./docs.ts";

/** Adds the commands. @param talking adds the options of every command that talks to a cluster */
export function addJobs(
  program: Command,
  talking: (command: Command) => Command,
  setExitCode: (code: number) => void,
): void {
  const submitting = (name: string, about: string) =>
    talking(program.command(name))
      .description(about)
      .argument("[path...]", "/mount, /mount/dir, /mount/key, or a pattern in quotes: '/mount/year=*/**/*.parquet'")
      .option("--manifest <file>", "local file of paths, one a line; - for standard input")
      .option("--manifest-path </mount/key>", "file of paths in a mounted store")
      .option("--concurrency <n>", "transfers at once on each worker (default 16)")
      .option("--priority <0-9>", "jobs of a higher one start first (default 0)")
      .option("--schedule <cron>", "run again and again: five fields of cron, in UTC, as '0 5 * * *'")
      .option("--detach", "only submit, and print the job's id")
      .option("--follow", "show progress until the job ends (the default)")
      .action(async (paths: string[], options: SubmitOptions) => {
        setExitCode(await (await import("./commands/job.ts")).submit(name, paths, options));
      });
  addExamples(
    submitting("load", "Bring data into the cache before it is needed, and say exactly what is there in the end.")
      .option("--replicas <n>", "copies on so many workers (default: as the mount says)")
      .option("--bandwidth <bytes/s>", "bound on what the whole cluster reads from stores, for example 200MiB/s")
      .option("--columns <a,b.c>", "only these columns of Parquet files, and the footers")
      .option("--verify", "read back what was cached, and compare it with the store's checksum or bytes")
      .option("--skip-cached", "leave objects alone that are wholly cached, their metadata too")
      .option("--metadata-only", "only sizes, versions and types")
      .option("--dry-run", "say what would be loaded and whether it fits, and load nothing")
      .option("--fail-on <state>", "partial: end as failed at the first object that cannot be loaded"),
    [
      "ringlight load /demo/tables",
      "ringlight load '/demo/**/*.parquet' --bandwidth 200MiB/s --verify",
      "ringlight load --manifest epoch-1.txt --replicas 2 --detach",
      "ringlight load /demo/images --dry-run",
    ],
  );
  addExamples(submitting("free", "Drop data from the cache; what is in the store stays."), [
    "ringlight free /demo/tables/old",
    "ringlight free '/demo/logs/2025-*'",
  ]);
  addExamples(
    submitting(
      "sync",
      "Compare what workers know of objects with the store's listing, and drop what has changed there.",
    ),
    ["ringlight sync /demo/tables"],
  );
  addExamples(
    submitting("scrub", "Check cached pages against their checksums, and drop those that are damaged.").option(
      "--bandwidth <bytes/s>",
      "bound on what the whole cluster checks a second",
    ),
    ["ringlight scrub /demo --bandwidth 50MiB/s"],
  );

  for (const [name, about] of [
    ["copy", "Copy objects to another path or mount; where both are one store it copies by itself."],
    ["move", "Move objects: copy them, compare the copies, and remove what was copied."],
  ] as const) {
    addExamples(
      submitting(name, `${about} The last path is the target.`)
        .option("--bandwidth <bytes/s>", "bound on what the whole cluster reads from stores, for example 200MiB/s")
        .option("--verify", "read back what was copied and compare the bytes, even where checksums agree")
        .option("--overwrite", "replace objects of the target that are others")
        .option(
          "--fail-on <state>",
          `partial: end as failed at the first object that cannot be ${name === "copy" ? "copied" : "moved"}`,
        ),
      [
        `ringlight ${name} /demo/tables /archive/tables/`,
        `ringlight ${name} '/demo/logs/2025-*' /archive/logs/ --bandwidth 50MiB/s`,
      ],
    );
  }

  const job = program.command("job").description("List, follow and control jobs.");
  addExamples(
    talking(job.command("ls"))
      .description("List the jobs, newest first.")
      .option("--state <state...>", "only these: queued, running, paused, complete, partial, failed, stopped")
      .option("--limit <n>", "at most so many (default 100)")
      .action(async (options: CommonOptions) => (await import("./commands/job.ts")).jobList(options)),
    ["ringlight job ls", "ringlight job ls --state running queued --json"],
  );
  const one = (name: string, about: string, run: (id: string, options: CommonOptions) => Promise<number | undefined>) =>
    addExamples(
      talking(job.command(name))
        .description(about)
        .argument("<id>", "id of the job")
        .action(async (id: string, options: CommonOptions) => {
          const code = await run(id, options);
          if (code !== undefined) setExitCode(code);
        }),
      [`ringlight job ${name} load-mwsio1cg-5e815e`],
    );
  one("show", "Show everything about a job.", async (id, options) => {
    await (await import("./commands/job.ts")).jobShow(id, options);
    return undefined;
  });
  one("watch", "Show a job's progress until it ends.", async (id, options) =>
    (await import("./commands/job.ts")).watch(id, options),
  );
  one("wait", "Wait until a job has ended; the exit code says how.", async (id, options) =>
    (await import("./commands/job.ts")).wait(id, options),
  );
  one("failed", "List what a job could not do, and why.", async (id, options) => {
    await (await import("./commands/job.ts")).jobFailed(id, options);
    return undefined;
  });
  one("retry", "Submit a job for just what another one could not do.", async (id, options) =>
    (await import("./commands/job.ts")).retry(id, options),
  );
  for (const [action, about] of [
    ["pause", "Pause a job: what it has done stays done."],
    ["resume", "Let a paused job go on."],
    ["stop", "End a job; what it has done stays done."],
  ] as const) {
    one(action, about, async (id, options) => {
      await (await import("./commands/job.ts")).jobControl(action, id, options);
      return undefined;
    });
  }
}

/** The tree of `ringlight key`: names, options, help and examples. */
import type { Command } from "commander";
import type { KeyOptions } from "./commands/key.ts";
import { addExamples } from "./docs.ts";

/** Options of every command that reads the registry itself. */
function sealed(command: Command): Command {
  return command
    .option("--json", "print JSON")
    .option("--registry <endpoints>", "the registry, host:port[,host:port...], of a cluster that runs elsewhere")
    .option("--cluster <name>", "name of the cluster within the registry (default default)")
    .option("--token-file <file>", "file with the cluster token, which seals the keys (or RINGLIGHT_TOKEN)")
    .option("--data <dir>", "data directory of a cluster on this machine (or RINGLIGHT_DATA; default .ringlight)");
}

/** Adds `ringlight key`. */
export function addKeys(program: Command): void {
  const key = program.command("key").description("List, make, change and remove access keys of S3 clients.");
  addExamples(
    sealed(key.command("ls"))
      .description("List the access keys, without their secrets.")
      .action(async (options: KeyOptions) => (await import("./commands/key.ts")).keyList(options)),
    ["ringlight key ls"],
  );
  addExamples(
    sealed(key.command("add"))
      .description("Make an access key; its secret is printed once.")
      .requiredOption("--user <name>", "name of its user, which policies know as aws:username")
      .option("--policy <file>", "policy as JSON, - for standard input (default full access)")
      .option("--id <id>", "access key id (default a new one)")
      .action(async (options: KeyOptions & { user: string; policy?: string; id?: string }) => {
        await (await import("./commands/key.ts")).keyAdd(options);
      }),
    ["ringlight key add --user ada --policy read-only.json"],
  );
  addExamples(
    sealed(key.command("rotate"))
      .description("Give an access key a new secret.")
      .argument("<id>", "access key id")
      .action(async (id: string, options: KeyOptions) => (await import("./commands/key.ts")).keyRotate(id, options)),
    ["ringlight key rotate RLABCDEFGHIJKLMNOPQR"],
  );
  addExamples(
    sealed(key.command("policy"))
      .description("Show the policy of an access key, or set it.")
      .argument("<id>", "access key id")
      .argument("[file]", "policy as JSON, - for standard input")
      .option("--full-access", "take the policy away")
      .action(async (id: string, file: string | undefined, options: KeyOptions & { fullAccess?: boolean }) => {
        await (await import("./commands/key.ts")).keyPolicy(id, file, options);
      }),
    ["ringlight key policy RLABCDEFGHIJKLMNOPQR", "ringlight key policy RLABCDEFGHIJKLMNOPQR read-only.json"],
  );
  addExamples(
    sealed(key.command("rm"))
      .description("Remove an access key.")
      .argument("<id>", "access key id")
      .action(async (id: string, options: KeyOptions) => (await import("./commands/key.ts")).keyRemove(id, options)),
    ["ringlight key rm RLABCDEFGHIJKLMNOPQR"],
  );
}

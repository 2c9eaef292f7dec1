/** The commands of rules by path. */
import type { Command } from "commander";
import type { CommonOptions } from "./commands/output.ts";
import { addExamples } from "./docs.ts";

const DRY_RUN = ["--dry-run", "say what would change, and write nothing"] as const;

/** Adds the commands. @param talking adds the options of every command that talks to a cluster */
export function addPolicies(program: Command, talking: (command: Command) => Command): void {
  const policy = program
    .command("policy")
    .description("Rules by path: how long pages stay, which leave first, which never, and how much room they have.");
  addExamples(
    talking(policy.command("ls"))
      .description("List the rules, and what each comes to on the workers.")
      .option("--yaml", "as a file that policy apply reads")
      .action(async (options: CommonOptions & { yaml?: boolean }) => {
        await (await import("./commands/policy.ts")).policyList(options);
      }),
    ["ringlight policy ls", "ringlight policy ls --yaml > rules.yaml"],
  );
  addExamples(
    talking(policy.command("diff"))
      .description("Say what applying a file would change.")
      .argument("<file>", "rules as YAML; - for standard input")
      .action(async (file: string, options: CommonOptions) => {
        await (await import("./commands/policy.ts")).policyDiff(file, options);
      }),
    ["ringlight policy diff rules.yaml"],
  );
  addExamples(
    talking(policy.command("apply"))
      .description("Replace all rules by those of a file, and say what changed.")
      .argument("<file>", "rules as YAML; - for standard input")
      .option(...DRY_RUN)
      .action(async (file: string, options: CommonOptions & { dryRun?: boolean }) => {
        await (await import("./commands/policy.ts")).policyApply(file, options);
      }),
    ["ringlight policy apply rules.yaml", "ringlight policy apply rules.yaml --dry-run"],
  );
  addExamples(
    talking(policy.command("rm"))
      .description("Take rules out by name; pages stay until they leave by themselves.")
      .argument("<name...>", "names of rules")
      .option(...DRY_RUN)
      .action(async (names: string[], options: CommonOptions & { dryRun?: boolean }) => {
        await (await import("./commands/policy.ts")).policyRemove(names, options);
      }),
    ["ringlight policy rm scratch"],
  );
}

/** `ringlight policy ls`, `diff`, `apply` and `rm`: rules by path. */
import { readFileSync } from "node:fs";
import { diffPolicies, fileError, formatBytes, type PolicyChange, type PolicyRule, writtenRule } from "@ringlight/core";
import type { PolicyChanges } from "@ringlight/proto";
import { callUnary, rulesFromProto, ruleToProto } from "@ringlight/rpc";
import { stringify } from "yaml";
import { withClient } from "../connection.ts";
import { table } from "../format.ts";
import { parsePolicyFile } from "../policy-file.ts";
import { withSchedulers } from "../scheduler-connection.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

/** How long a worker may take to tell its counters, milliseconds. */
const STATS_MS = 5_000;

/** Lists the rules, and what each comes to on the workers; with `yaml`, as a file for apply. */
export async function policyList(options: CommonOptions & { readonly yaml?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const { policies, workers } = await client.cluster();
    const rules = rulesFromProto(policies);
    if (options.yaml) {
      process.stdout.write(stringify({ rules: rules.map(writtenRule) }));
      return;
    }
    const told = await Promise.all(
      workers.map(async ({ id }) => {
        try {
          for await (const { rules } of client.stats(id, { signal: AbortSignal.timeout(STATS_MS) })) return rules;
        } catch {
          // Counted as one that did not answer.
        }
        return undefined;
      }),
    );
    const answered = told.filter((rules) => rules !== undefined);
    const sums = rules.map((rule) => {
      const ours = answered.flat().filter(({ name }) => name === rule.name);
      const sum = (field: "pages" | "bytes") => ours.reduce((total, stats) => total + stats[field], 0);
      return { rule, pages: sum("pages"), bytes: sum("bytes") };
    });
    const shapes = sums.map(({ rule, pages, bytes }) => ({ ...writtenRule(rule), pages, bytes }));
    print(options.json, { rules: shapes, answered: answered.length, total: workers.length }, () =>
      rules.length === 0 ? "No rules. ringlight policy apply rules.yaml makes some." : render(sums),
    );
    if (!options.json) answeredNote({ answered: answered.length, workers: workers.length });
  });
}

/** Says what a file would change. */
export async function policyDiff(file: string, options: CommonOptions): Promise<void> {
  const { changes } = await apply(file, options, true);
  print(options.json, { changes: changes.map(changeShape) }, () => renderChanges(changes));
}

/** Replaces all rules by those of a file. */
export async function policyApply(file: string, options: CommonOptions & { readonly dryRun?: boolean }): Promise<void> {
  const dryRun = options.dryRun === true;
  const { changes } = await apply(file, options, dryRun);
  tell(changes, dryRun, options);
}

/** Takes rules out by name. */
export async function policyRemove(
  names: readonly string[],
  options: CommonOptions & { readonly dryRun?: boolean },
): Promise<void> {
  const dryRun = options.dryRun === true;
  const changes = await withSchedulers(options, (schedulers) =>
    schedulers.askPolicies(async (client) =>
      changesOf(await callUnary(client, "removePolicies", { names: [...names], dryRun })),
    ),
  );
  tell(changes, dryRun, options);
}

async function apply(file: string, options: CommonOptions, dryRun: boolean) {
  const rules = parsePolicyFile(read(file), file === "-" ? "standard input" : file).map(ruleToProto);
  const changes = await withSchedulers(options, (schedulers) =>
    schedulers.askPolicies(async (client) => changesOf(await callUnary(client, "applyPolicies", { rules, dryRun }))),
  );
  return { changes };
}

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw fileError("the file of rules", file, error);
  }
}

function changesOf({ before, after }: PolicyChanges): PolicyChange[] {
  return diffPolicies(rulesFromProto(before), rulesFromProto(after));
}

function tell(changes: readonly PolicyChange[], dryRun: boolean, options: CommonOptions): void {
  print(options.json, { applied: !dryRun, changes: changes.map(changeShape) }, () => {
    if (changes.length === 0) return renderChanges(changes);
    return `${renderChanges(changes)}\n${dryRun ? "Nothing was written." : "Applied."}`;
  });
}

function changeShape(change: PolicyChange) {
  if (change.kind === "moved") return change;
  return {
    kind: change.kind,
    ...("before" in change && { before: writtenRule(change.before) }),
    ...("after" in change && { after: writtenRule(change.after) }),
  };
}

function renderChanges(changes: readonly PolicyChange[]): string {
  if (changes.length === 0) return "No change.";
  return changes
    .flatMap((change) =>
      change.kind === "moved"
        ? [`~ order: ${change.after.join(", ")}`]
        : [
            ...("before" in change ? [`- ${words(change.before)}`] : []),
            ...("after" in change ? [`+ ${words(change.after)}`] : []),
          ],
    )
    .join("\n");
}

function words(rule: PolicyRule): string {
  const { name, path, ...says } = writtenRule(rule);
  const told = Object.entries(says).map(([field, value]) => `${field}: ${value}`);
  return `${name}  ${path}  ${told.join(", ")}`;
}

function render(
  rules: readonly { readonly rule: PolicyRule; readonly pages: number; readonly bytes: number }[],
): string {
  const columns = [
    { title: "RULE" },
    { title: "PATH" },
    { title: "TTL" },
    { title: "PIN" },
    { title: "PRIORITY" },
    { title: "QUOTA" },
    { title: "PAGES", right: true },
    { title: "BYTES", right: true },
  ];
  return table(
    columns,
    rules.map(({ rule, pages, bytes }) => {
      const written = writtenRule(rule);
      const said = (field: string) => String(written[field] ?? "–");
      return [
        rule.name,
        rule.path,
        said("ttl"),
        rule.pin === undefined ? "–" : rule.pin ? "yes" : "no",
        said("priority"),
        said("quota"),
        String(pages),
        formatBytes(bytes),
      ];
    }),
  );
}

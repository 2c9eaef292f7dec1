/** docs/cli.md, made from the command tree. */
import type { Command, Help } from "commander";
import { EXIT_CODES } from "./exit-codes.ts";
import { JSON_SHAPES } from "./json-shapes.ts";

const INTRODUCTION = `# The \`ringlight\` command

Generated from the command tree by \`node .ci/docs.mjs\`; a check makes sure that it is current.

In a checkout it is run as \`npm run ringlight -- COMMAND\`, and \`npm start -- OPTIONS\` is \`ringlight up OPTIONS\`.

Commands find their cluster by \`--endpoint host:port\` (or \`RINGLIGHT_ENDPOINT\`) with \`--token-file\` (or
\`RINGLIGHT_TOKEN\`), and otherwise by \`cluster.json\` in the data directory: \`--data DIR\`, \`RINGLIGHT_DATA\`, or
\`.ringlight\` in the working directory.
`;

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function section(command: Command, path: string, help: Help): string[] {
  const children = command.commands.filter((child) => child.name() !== "help");
  const lines: string[] = [];
  if (children.length === 0) {
    lines.push(`## ${path}`, "", `${command.description()}`, "", "```", help.commandUsage(command), "```", "");
    const args = help.visibleArguments(command);
    const options = help.visibleOptions(command).filter(({ long }) => long !== "--help");
    if (args.length + options.length > 0) {
      lines.push("| argument or option | meaning |", "|---|---|");
      for (const arg of args) lines.push(`| \`${help.argumentTerm(arg)}\` | ${cell(help.argumentDescription(arg))} |`);
      for (const option of options)
        lines.push(`| \`${option.flags.replaceAll("|", "\\|")}\` | ${cell(help.optionDescription(option))} |`);
      lines.push("");
    }
    const examples = examplesOf(command);
    if (examples.length > 0) lines.push("Examples:", "", "```", ...examples, "```", "");
  }
  return [...lines, ...children.flatMap((child) => section(child, `${path} ${child.name()}`, help))];
}

const EXAMPLES = new WeakMap<Command, readonly string[]>();

/** Gives a command its examples, shown after its help and in docs/cli.md. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  EXAMPLES.set(command, examples);
  return command.addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
}

function examplesOf(command: Command): readonly string[] {
  return EXAMPLES.get(command) ?? [];
}

/** The text of docs/cli.md. */
export function renderCliDocs(program: Command): string {
  const help = program.createHelp();
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  const shapes = Object.entries(JSON_SHAPES).map(([command, shape]) => `| \`${command}\` | ${cell(shape)} |`);
  return [
    INTRODUCTION,
    ...section(program, "ringlight", help),
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---|---|",
    ...codes,
    "",
    "## JSON",
    "",
    "With `--json` each command prints JSON on standard output, one value a line, and errors as one line on standard",
    'error: `{"error":{"code","message","remedy"}}`. Times are milliseconds since 1970, sizes bytes. Fields are added in',
    "later versions and not taken away.",
    "",
    "| command | shape |",
    "|---|---|",
    ...shapes,
    "",
  ].join("\n");
}

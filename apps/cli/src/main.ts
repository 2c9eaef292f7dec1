/** The `ringlight` command. */
import { type Command, CommanderError } from "commander";
import { nameCommand } from "./command-telemetry.ts";
import { errorJson, errorLine, exitCodeOf } from "./exit-codes.ts";
import { buildProgram } from "./program.ts";

const USAGE = 2;

/** "ringlight mount ls" */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  try {
    const program = buildProgram((own) => {
      code = own;
    });
    program.hook("preAction", (_, action) => {
      nameCommand(
        fullName(action),
        action.args.find((argument) => argument.startsWith("/")),
      );
    });
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    // Help and version end here too, with exit code 0; what was wrong with the usage commander has said already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    process.stderr.write(`${argv.includes("--json") ? errorJson(error) : errorLine(error)}\n`);
    return exitCodeOf(error);
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read our output has enough of it (`| head`).
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));

/** The `ringlight` command. */
import { CommanderError } from "commander";
import { errorJson, errorLine, exitCodeOf } from "./exit-codes.ts";
import { buildProgram } from "./program.ts";

const USAGE = 2;

async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  try {
    await buildProgram((own) => {
      code = own;
    }).parseAsync([...argv], { from: "user" });
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

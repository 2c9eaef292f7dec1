/**
 * A generator process. Reads one line of JSON on standard input that says what to ask whom (GeneratorSpec), then a line for each
 * round (RoundCommand); writes lines of JSON (GeneratorEvent). Ends with its input. Because it speaks on its standard streams
 * only, it runs on another machine by `ssh host ringlight bench generator`.
 */
import { createInterface } from "node:readline";
import { runGenerator } from "./generator.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
try {
  await runGenerator(
    async () => {
      const line = await lines.next();
      return line.done ? undefined : line.value;
    },
    (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
process.exit(0);

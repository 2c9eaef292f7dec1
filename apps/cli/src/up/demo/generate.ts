/** The process that makes the demo's files: `node generate.ts DIR`. It reports each file as a line of JSON. */
import { setPriority } from "node:os";
import { DEMO_SCALE, makeDemoData } from "./data.ts";

const [dir = ""] = process.argv.slice(2);

// The cluster starts at the same time and goes first.
setPriority(10);
// Whoever started this and is gone closes the pipe: the next start goes on from here.
process.stdin.once("end", () => process.exit(1)).resume();
process.stdout.once("error", () => process.exit(1));

await makeDemoData(dir, DEMO_SCALE, (progress) => process.stdout.write(`${JSON.stringify(progress)}\n`));
process.exit(0);

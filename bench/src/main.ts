/** The benchmarks' command line: `npm run bench -- <name>`, or `ringlight bench <name>`. */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { reportText } from "./report.ts";
import { benchRing } from "./ring.ts";
import { smoke } from "./smoke.ts";
import { benchStoreRecovery } from "./store.ts";

const HELP = `usage: ringlight bench <name> [options]

  smoke     cold and warm GETs of 4 KiB and 1 MiB: through a worker against straight from the store
              --rounds N   measured rounds (default 5)
              --json       the figures as JSON
  ring      build, look-up, balance and movement of the ring
  store     recovery of a page store
              --pages N    pages to recover (default 200000)

Every figure is a ratio of paired rounds on this machine, taken in turn after a warm-up round; absolute figures are shown
beside it to be judged with the machine in mind.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    pages: { type: "string", default: "200000" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`ringlight bench: --${name} is "${text}"; a whole number above 0 is needed\n`);
  process.exit(2);
}

const [name] = positionals;
if (values.help || name === undefined) {
  process.stdout.write(`${HELP}\n`);
  process.exit(values.help ? 0 : 2);
}
switch (name) {
  case "smoke": {
    const rounds = positive("rounds", values.rounds);
    const results = await smoke({ rounds, progress: (line) => process.stderr.write(`measuring: ${line}\n`) });
    if (values.json)
      process.stdout.write(
        `${JSON.stringify({ bench: "smoke", node: process.version, cpus: cpus().length, results }, null, 2)}\n`,
      );
    else process.stdout.write(`${reportText(results)}\n`);
    break;
  }
  case "ring":
    await benchRing();
    break;
  case "store":
    await benchStoreRecovery(positive("pages", values.pages));
    break;
  default:
    process.stderr.write(`ringlight bench: there is no benchmark "${name}"\n\n${HELP}\n`);
    process.exit(2);
}

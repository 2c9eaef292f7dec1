/** `bench run --find-max`: the highest rate that meets a latency goal, a run a try. */
import { findMax } from "../load/find-max.ts";
import { noteHighestRate, readRun } from "../results/run-directory.ts";
import { plainTable } from "../results/text-report.ts";
import { type RunOptions, runWorkload, type SideOptions } from "../run-workload.ts";

const START_RATE = 100;
const ROUND_SECONDS = 5;
const WARM_SECONDS = 1;

/** Searches one target's highest rate, prints it with its tries, and notes it in the run of the highest rate that met the goal. */
export async function findMaxOf(
  side: SideOptions,
  goalP99Ms: number,
  options: Omit<RunOptions, "sides">,
): Promise<void> {
  const { address } = side;
  const found = await findMax(
    async (rate) => {
      options.progress(`${address.label}: trying ${rate.toFixed(0)} requests/s`);
      const [directory = ""] = await runWorkload({
        ...options,
        sides: [side],
        rates: [rate],
        seconds: options.seconds ?? ROUND_SECONDS,
        warmSeconds: options.warmSeconds ?? WARM_SECONDS,
      });
      const round = readRun(directory).summary.rounds[0]!;
      return {
        directory,
        rate,
        achieved: round.requestsPerSecond,
        p99Ms: round.p99Ms,
        errors: round.errors,
        saturated: round.saturation.saturated,
      };
    },
    { goalP99Ms, startRate: options.rates?.[0] ?? START_RATE },
  );
  const limit = found.limitedByGenerator ? " (the generator, not the target, was the limit)" : "";
  const sentence =
    found.best === undefined
      ? `${address.label}: no rate that was tried has a p99 below ${goalP99Ms} ms${limit}`
      : `${address.label}: ${found.rate.toFixed(0)} requests/s is the highest rate with p99 below ${goalP99Ms} ms${limit}`;
  const rows = found.tries.map(({ rate, achieved, p99Ms, errors, saturated }) => [
    rate.toFixed(0),
    achieved.toFixed(0),
    `${p99Ms.toFixed(2)} ms`,
    [...(errors > 0 ? [`${errors} errors`] : []), ...(saturated ? ["generator was the limit"] : [])].join(", "),
  ]);
  process.stdout.write(`${sentence}\n${plainTable({ head: ["offered/s", "answered/s", "p99", ""], rows })}\n`);
  if (found.best === undefined) return;
  noteHighestRate(found.best.directory, { rate: found.rate, goalP99Ms });
  process.stdout.write(`${found.best.directory}\n`);
}

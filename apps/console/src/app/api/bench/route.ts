import { benchRuns } from "../../../server/bench-runs.ts";
import { runningConsole } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Runs of the benchmark harness, newest first. */
export function GET(): Promise<Response> {
  return respond(async () => benchRuns((await runningConsole()).benchDir));
}

import { benchDetail } from "../../../../server/bench-runs.ts";
import { runningConsole } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** One run with its seconds, its single requests and the servers' counters. */
export function GET(_request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return respond(async () => benchDetail((await runningConsole()).benchDir, (await params).id));
}

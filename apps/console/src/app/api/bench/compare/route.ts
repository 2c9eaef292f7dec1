import { benchCompare } from "../../../../server/bench-runs.ts";
import { runningConsole } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Run b judged against run a: ?a&b */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const { benchDir, benchHarness } = await runningConsole();
    return benchCompare(benchDir, searchParams.get("a") ?? "", searchParams.get("b") ?? "", benchHarness);
  });
}

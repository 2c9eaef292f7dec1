import { compareWindow } from "../../../server/compare-window.ts";
import { traceStore } from "../../../server/console.ts";
import { compareQuery } from "../../../server/query-params.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** What changed most against the window before: ?from&to&measure=misses|errors|latency|requests|ufs */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { measure, fromMs, toMs } = compareQuery(new URL(request.url).searchParams, Date.now());
    return compareWindow(await traceStore(), measure, fromMs, toMs);
  });
}

import { RinglightError } from "@ringlight/core";
import { runningConsole } from "../../../../server/console.ts";
import { traceIdOf } from "../../../../server/query-params.ts";
import { respond } from "../../../../server/respond.ts";
import type { TraceView } from "../../../../wire-telemetry.ts";

export const dynamic = "force-dynamic";

/** One trace with its spans, from the embedded store or else from the backend that traceSource names: ?offset=0&limit=10000 */
export function GET(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return respond(async (): Promise<TraceView> => {
    const id = traceIdOf((await params).id);
    const { searchParams } = new URL(request.url);
    const whole = (name: string, least: number) => {
      const value = Number(searchParams.get(name) ?? Number.NaN);
      return Number.isSafeInteger(value) && value >= least ? value : undefined;
    };
    const { store, backend } = await runningConsole();
    const window = [whole("offset", 0), whole("limit", 1)] as const;
    const own = await store.detail(id, ...window);
    if (own !== undefined) return { ...own, source: "embedded" };
    const found = await backend?.detail(id, ...window);
    if (backend === undefined || found === undefined) {
      throw new RinglightError(
        "RL_NOT_FOUND",
        `no trace ${id} is stored: it was not sampled, or has left to make room`,
      );
    }
    return { ...found, source: backend.type };
  });
}

import { benchDetail } from "../../../../server/bench-runs.ts";
import { runningConsole } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** One run with its seconds, its single requests and the servers' counters. */
export function GET(_request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return respond(async () => {
    const { benchDir, store, backend } = await runningConsole();
    // A backend is not asked for hundreds of traces; each may be there.
    const storedOf = async (ids: readonly string[]) => (backend === undefined ? store.stored(ids) : ids);
    return benchDetail(benchDir, (await params).id, storedOf);
  });
}

import { runningConsole } from "../../../../server/console.ts";
import { traceQuery } from "../../../../server/query-params.ts";
import { respond } from "../../../../server/respond.ts";
import { watchResponse } from "../../../../server/watch-stream.ts";

export const dynamic = "force-dynamic";

/** Traces as they come, after a snapshot of those that are there; asked like the search. */
export async function GET(request: Request): Promise<Response> {
  try {
    const { store, observer } = await runningConsole();
    const query = traceQuery(new URL(request.url).searchParams, Date.now());
    const leaving = AbortSignal.any([request.signal, observer.closing]);
    return watchResponse((listener) => store.watchTraces(query, listener), leaving);
  } catch (error) {
    return respond(() => Promise.reject(error));
  }
}

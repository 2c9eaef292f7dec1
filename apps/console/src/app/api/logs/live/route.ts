import { runningConsole } from "../../../../server/console.ts";
import { logQuery } from "../../../../server/query-params.ts";
import { respond } from "../../../../server/respond.ts";
import { watchResponse } from "../../../../server/watch-stream.ts";

export const dynamic = "force-dynamic";

/** Log lines as they come, after the last ones that are there; asked like the search. */
export async function GET(request: Request): Promise<Response> {
  try {
    const { store, observer } = await runningConsole();
    const query = logQuery(new URL(request.url).searchParams, Date.now());
    const leaving = AbortSignal.any([request.signal, observer.closing]);
    return watchResponse((listener) => store.watchLogs(query, listener), leaving);
  } catch (error) {
    return respond(() => Promise.reject(error));
  }
}

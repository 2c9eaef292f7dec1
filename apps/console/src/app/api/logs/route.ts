import { traceStore } from "../../../server/console.ts";
import { logQuery } from "../../../server/query-params.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Log lines, the newest first: ?service&instance&level&text&trace&from&to&before&limit */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const query = logQuery(new URL(request.url).searchParams, Date.now());
    return (await traceStore()).logs(query);
  });
}

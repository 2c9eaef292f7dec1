import { traceStore } from "../../../../server/console.ts";
import { metricQuery } from "../../../../server/query-params.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** A metric over time: ?metric&fn&q&by=worker,mount&filter=tier=mem&from&to&step=10s */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const query = metricQuery(new URL(request.url).searchParams, Date.now());
    return (await traceStore()).metric(query);
  });
}

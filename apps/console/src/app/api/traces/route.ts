import { traceStore } from "../../../server/console.ts";
import { traceQuery } from "../../../server/query-params.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Searches the stored traces: ?service&name&min&max&attr=key=value&job&path&mount&outcome&reason&error&class&from&to&cursor&limit */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const query = traceQuery(new URL(request.url).searchParams, Date.now());
    return (await traceStore()).search(query);
  });
}

import { cacheReuse } from "../../../../server/cache.ts";
import { observer } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The miss-ratio curve, the working set and what follows for the size of the tiers. */
export function GET(request: Request): Promise<Response> {
  return respond(async () => cacheReuse(await observer(), request.signal));
}

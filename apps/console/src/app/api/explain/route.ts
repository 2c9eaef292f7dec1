import { observer, traceStore } from "../../../server/console.ts";
import { explain } from "../../../server/explain.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Why a path is where it is and what its reads met: ?path=/mount/key, or ?id=<trace id or request id> */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const question = { path: searchParams.get("path") ?? undefined, id: searchParams.get("id") ?? undefined };
    return explain(await observer(), await traceStore(), question, request.signal);
  });
}

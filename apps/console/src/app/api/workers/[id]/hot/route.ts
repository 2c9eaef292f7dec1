import { workerContents } from "../../../../../server/cache.ts";
import { observer } from "../../../../../server/console.ts";
import { respond } from "../../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** What one worker holds, and what it is asked for the most. */
export function GET(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return respond(async () => workerContents(await observer(), (await params).id, request.signal));
}

import { traceStore } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** What the store has seen, for completion: ?key=ringlight.mount&prefix=tr&limit=50 */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const limit = Math.min(500, Math.max(1, Number(searchParams.get("limit")) || 50));
    return (await traceStore()).values(searchParams.get("key") ?? "", searchParams.get("prefix") ?? "", limit);
  });
}

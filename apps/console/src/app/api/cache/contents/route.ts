import { cacheContents } from "../../../../server/cache.ts";
import { observer } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** What is cached, by path, age and use, and what is hot: ?prefix=/mount/dir&depth=1 */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const depth = Number(searchParams.get("depth") ?? "1");
    return cacheContents(await observer(), searchParams.get("prefix") ?? "/", depth, request.signal);
  });
}

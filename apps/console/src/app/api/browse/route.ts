import { browse } from "../../../server/browse.ts";
import { observer } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** One page of a folder: ?path=/mount/dir/&after=…&fresh=1 */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    return browse(
      await observer(),
      searchParams.get("path") ?? "/",
      searchParams.get("after") ?? "",
      searchParams.get("fresh") === "1",
      request.signal,
    );
  });
}

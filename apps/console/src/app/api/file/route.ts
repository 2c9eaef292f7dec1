import { fileDetail } from "../../../server/browse.ts";
import { observer } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Everything about one file: ?path=/mount/key */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const path = new URL(request.url).searchParams.get("path") ?? "";
    return fileDetail(await observer(), path, request.signal);
  });
}

import { RinglightError } from "@ringlight/core";
import { observer } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Everything about one member of the ring. */
export function GET(_request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return respond(async () => {
    const { id } = await params;
    const detail = (await observer()).worker(id);
    if (!detail) throw new RinglightError("RL_NOT_FOUND", `the ring has no member ${id}`);
    return detail;
  });
}

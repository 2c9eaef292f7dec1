import { RinglightError } from "@ringlight/core";
import { traceStore } from "../../../../server/console.ts";
import { traceIdOf } from "../../../../server/query-params.ts";
import { respond } from "../../../../server/respond.ts";
import type { TraceView } from "../../../../wire-telemetry.ts";

export const dynamic = "force-dynamic";

/** One trace with its spans: ?offset=0&limit=10000 */
export function GET(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return respond(async (): Promise<TraceView> => {
    const id = traceIdOf((await params).id);
    const { searchParams } = new URL(request.url);
    const [offset, limit] = ["offset", "limit"].map((name) => Number(searchParams.get(name) ?? Number.NaN));
    const found = await (await traceStore()).detail(
      id,
      Number.isSafeInteger(offset) && offset! >= 0 ? offset : undefined,
      Number.isSafeInteger(limit) && limit! > 0 ? limit : undefined,
    );
    if (found === undefined) {
      throw new RinglightError(
        "RL_NOT_FOUND",
        `no trace ${id} is stored: it was not sampled, or has left to make room`,
      );
    }
    return { ...found, source: "embedded" };
  });
}

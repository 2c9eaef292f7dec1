import { traceStore } from "../../../../server/console.ts";
import { respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The metrics that have been seen, with their labels. */
export function GET(): Promise<Response> {
  return respond(async () => ({ metrics: await (await traceStore()).metrics() }));
}

import { traceStore } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** How the trace store fares: bytes, bounds, and what it had to drop. */
export function GET(): Promise<Response> {
  return respond(async () => (await traceStore()).stats());
}

import { observer } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The numbers of all workers that tables show, in columns. */
export function GET(): Promise<Response> {
  return respond(async () => (await observer()).workerNumbers());
}

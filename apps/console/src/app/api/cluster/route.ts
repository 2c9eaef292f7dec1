import { observer } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The cluster as of now, and the numbers of this moment. */
export function GET(): Promise<Response> {
  return respond(async () => {
    const watching = await observer();
    return { snapshot: watching.snapshot(), tick: watching.tick() };
  });
}

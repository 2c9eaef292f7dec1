import { runningConsole } from "../../../server/console.ts";
import { allSettings } from "../../../server/processes.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Settings of every process, each with its origin and default. */
export function GET(): Promise<Response> {
  return respond(async () => allSettings(await runningConsole()));
}

import { runningConsole } from "../../../server/console.ts";
import { runningHandOver } from "../../../server/hand-over.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The hand-over that runs, as {handOver: ...}, or {handOver: null}. */
export function GET(): Promise<Response> {
  return respond(async () => {
    const { observer, token } = await runningConsole();
    return { handOver: (await runningHandOver(observer, token)) ?? null };
  });
}

import { change } from "../../../../../server/change.ts";
import { runningConsole } from "../../../../../server/console.ts";
import { logLevelOf, setLogLevel } from "../../../../../server/processes.ts";
import { respond } from "../../../../../server/respond.ts";

export const dynamic = "force-dynamic";

type Context = { params: Promise<{ id: string }> };

/** The level that a process logs at, and the one of its start. */
export function GET(_request: Request, { params }: Context): Promise<Response> {
  return respond(async () => logLevelOf(await runningConsole(), (await params).id));
}

/** Changes it until the process ends: {"level": "debug"}; an empty level goes back. */
export function POST(request: Request, { params }: Context): Promise<Response> {
  return respond(async () => {
    const { id } = await params;
    return change(
      request,
      () => "worker.log-level",
      () => id,
      async (body) =>
        setLogLevel(await runningConsole(), id, String((body as { level?: unknown } | null)?.level ?? "")),
    );
  });
}

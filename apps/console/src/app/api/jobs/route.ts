import { runningConsole } from "../../../server/console.ts";
import { listJobs } from "../../../server/jobs.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The newest jobs: ?state=running,paused */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { observer, token } = await runningConsole();
    const states = (new URL(request.url).searchParams.get("state") ?? "").split(",").filter(Boolean);
    return listJobs(observer, token, states, request.signal);
  });
}

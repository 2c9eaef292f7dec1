import { isLoopback } from "@ringlight/config";
import { runningConsole } from "../../../../server/console.ts";
import { changeJob, jobView, parseJobAction } from "../../../../server/jobs.ts";
import { readChange, respond } from "../../../../server/respond.ts";

export const dynamic = "force-dynamic";

interface Place {
  readonly params: Promise<{ id: string }>;
}

/** One job, with the first of what it could not do. */
export function GET(request: Request, { params }: Place): Promise<Response> {
  return respond(async () => {
    const { observer, token } = await runningConsole();
    return jobView(observer, token, (await params).id, request.signal);
  });
}

/** Changes a job: {"action": "pause" | "resume" | "stop" | "retry"}; a retry answers the new job. */
export function POST(request: Request, { params }: Place): Promise<Response> {
  return respond(async () => {
    const { config, observer, token } = await runningConsole();
    const action = parseJobAction(await readChange(request, isLoopback(config.bind)));
    return changeJob(observer, token, (await params).id, action);
  });
}

import { change } from "../../../../server/change.ts";
import { runningConsole } from "../../../../server/console.ts";
import { changeJob, jobView, parseJobAction } from "../../../../server/jobs.ts";
import { respond } from "../../../../server/respond.ts";

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
    const { observer, token } = await runningConsole();
    const { id } = await params;
    return change(
      request,
      (body) => `job.${String((body as { action?: unknown } | null)?.action ?? "").slice(0, 20)}`,
      () => id,
      (body) => changeJob(observer, token, id, parseJobAction(body)),
    );
  });
}

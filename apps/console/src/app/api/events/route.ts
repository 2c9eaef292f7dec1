import { observer } from "../../../server/console.ts";
import { eventStream } from "../../../server/event-stream.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Live updates as server-sent events: `cluster` on every change, `tick` every second. */
export async function GET(request: Request): Promise<Response> {
  let watching: Awaited<ReturnType<typeof observer>>;
  try {
    watching = await observer();
  } catch (error) {
    return respond(() => Promise.reject(error));
  }
  return new Response(eventStream(watching, request.signal), {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

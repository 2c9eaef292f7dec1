import { runningConsole } from "../../../server/console.ts";
import { moment } from "../../../server/query-params.ts";
import { respond } from "../../../server/respond.ts";
import { EVENT_KINDS } from "../../../wire-events.ts";

export const dynamic = "force-dynamic";

/** What changed in the cluster, newest first: ?from&to&kind=worker,job&text&before=<id>&limit=200 */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const nowMs = Date.now();
    const wanted = (searchParams.get("kind") ?? "").split(",");
    const kinds = EVENT_KINDS.filter((kind) => wanted.includes(kind));
    const count = (name: string) => {
      const value = searchParams.get(name);
      return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    };
    const [fromMs, toMs] = [moment(searchParams, "from", nowMs), moment(searchParams, "to", nowMs)];
    const [text, beforeId, limit] = [searchParams.get("text")?.trim(), count("before"), count("limit")];
    const { events } = await runningConsole();
    return events.list({
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(toMs === undefined ? {} : { toMs }),
      ...(kinds.length > 0 ? { kinds } : {}),
      ...(text ? { text } : {}),
      ...(beforeId === undefined ? {} : { beforeId }),
      ...(limit === undefined ? {} : { limit }),
    });
  });
}

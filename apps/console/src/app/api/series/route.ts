import { parseDuration, RinglightError } from "@ringlight/core";
import { observer } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Time series of the cluster or of one worker: ?range=15m&worker=…&after=<seconds since the epoch> */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const rangeS = parseDuration(searchParams.get("range") ?? "15m") / 1000;
    if (rangeS < 10 || rangeS > 3600) throw new RinglightError("RL_BAD_REQUEST", "range: from 10s to 1h");
    const after = searchParams.get("after");
    const worker = searchParams.get("worker") ?? undefined;
    const series = (await observer()).series(rangeS, worker, after === null ? undefined : Number(after));
    if (!series) throw new RinglightError("RL_NOT_FOUND", `the ring has no member ${worker}`);
    return series;
  });
}

import { RinglightError } from "@ringlight/core";
import { observer } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

const SHORTEST_MS = 5_000;
const LONGEST_MS = 400 * 86_400_000;

/** Time series of the cluster or of one worker: ?from=…&to=… (milliseconds)&worker=…&after=<seconds since the epoch> */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const fromMs = Number(searchParams.get("from") ?? Number.NaN);
    const toMs = Number(searchParams.get("to") ?? Number.NaN);
    if (!(toMs - fromMs >= SHORTEST_MS && toMs - fromMs <= LONGEST_MS)) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        "from and to are milliseconds since the epoch, 5 s to 400 days apart; got another range",
      );
    }
    const after = searchParams.get("after");
    const worker = searchParams.get("worker") ?? undefined;
    const series = (await observer()).series(fromMs, toMs, worker, after === null ? undefined : Number(after));
    if (!series) throw new RinglightError("RL_NOT_FOUND", `the ring has no member ${worker}`);
    return series;
  });
}

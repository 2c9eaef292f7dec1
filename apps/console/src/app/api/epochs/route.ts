import { runningConsole } from "../../../server/console.ts";
import { listEpochs } from "../../../server/epochs.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The newest epochs of the ring. */
export function GET(): Promise<Response> {
  return respond(async () => {
    const { observer, token } = await runningConsole();
    return listEpochs(observer, token);
  });
}

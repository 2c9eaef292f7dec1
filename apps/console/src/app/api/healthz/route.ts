import { runningConsole } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Answers 200 while the console can serve: also without its registry, whose absence it shows. */
export function GET(): Promise<Response> {
  return respond(async () => {
    const { config, observer } = await runningConsole();
    return { status: "ok", cluster: config.cluster, registryConnected: observer.snapshot().registry.connected };
  });
}

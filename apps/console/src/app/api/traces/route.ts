import { RinglightError } from "@ringlight/core";
import { runningConsole } from "../../../server/console.ts";
import { traceQuery } from "../../../server/query-params.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Searches the stored traces, or with source=backend those of the Jaeger or Tempo that traceSource names: ?service&name&min&max&attr=key=value&job&path&mount&outcome&reason&error&class&from&to&cursor&limit */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const query = traceQuery(searchParams, Date.now());
    const { store, backend } = await runningConsole();
    if (searchParams.get("source") !== "backend") return store.search(query);
    if (backend === undefined) {
      throw new RinglightError("RL_BAD_REQUEST", "no other backend of traces is set; see the setting traceSource");
    }
    return backend.search(query);
  });
}

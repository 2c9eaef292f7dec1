import { runningConsole } from "../../../server/console.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Who changed what, the newest first: ?before=<id>&limit=100&user=&action= */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const { searchParams } = new URL(request.url);
    const number = (name: string) => {
      const value = Number(searchParams.get(name) ?? Number.NaN);
      return Number.isSafeInteger(value) && value > 0 ? value : undefined;
    };
    const text = (name: string) => searchParams.get(name) || undefined;
    const { audit } = await runningConsole();
    return audit.page({ before: number("before"), limit: number("limit"), user: text("user"), action: text("action") });
  });
}

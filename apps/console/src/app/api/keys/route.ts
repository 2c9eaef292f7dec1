import { changeKey, listKeys, parseKeyChange } from "../../../server/access-keys.ts";
import { CALLER_HEADERS } from "../../../server/caller.ts";
import { change } from "../../../server/change.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The access keys, and whether this console may change them. */
export function GET(request: Request): Promise<Response> {
  return respond(async () => ({
    keys: await listKeys(),
    changeable: request.headers.get(CALLER_HEADERS.role) === "operator",
  }));
}

const field = (body: unknown, name: string) =>
  String((body as Record<string, unknown> | null)?.[name] ?? "").slice(0, 200);

/** Changes a key; a new secret is in the answer, once. */
export function POST(request: Request): Promise<Response> {
  return respond(() =>
    change(
      request,
      (body) => `key.${field(body, "action")}`,
      (body) => field(body, "name"),
      async (body) => ({
        secret: (await changeKey(parseKeyChange(body))) ?? null,
      }),
    ),
  );
}

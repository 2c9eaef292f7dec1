import { isLoopback } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";
import { changeKey, listKeys, mayChangeKeys, parseKeyChange } from "../../../server/access-keys.ts";
import { runningConsole } from "../../../server/console.ts";
import { readChange, respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The access keys, and whether this console may change them. */
export function GET(): Promise<Response> {
  return respond(async () => ({ keys: await listKeys(), changeable: await mayChangeKeys() }));
}

/** Changes a key; a new secret is in the answer, once. */
export function POST(request: Request): Promise<Response> {
  return respond(async () => {
    const { config } = await runningConsole();
    const body = await readChange(request, isLoopback(config.bind));
    if (!(await mayChangeKeys())) {
      throw new RinglightError(
        "RL_FORBIDDEN",
        "this console has no log-in and listens to other machines, so that it changes no keys; use `ringlight key`",
      );
    }
    return { secret: (await changeKey(parseKeyChange(body))) ?? null };
  });
}

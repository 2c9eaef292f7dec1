/** Answers of the console's routes. */
import { ERRORS, RinglightError } from "@ringlight/core";
import { codeOf, errorBody } from "./error-body.ts";

/** Answers with what `work` gives, or with the error's code, message and remedy at the table's HTTP status. */
export async function respond(work: () => Promise<unknown>): Promise<Response> {
  const headers = { "cache-control": "no-store" };
  try {
    return Response.json(await work(), { headers });
  } catch (error) {
    return Response.json(errorBody(error), { status: ERRORS[codeOf(error)].http, headers });
  }
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

/**
 * Reads the JSON body of a request that changes something. Only pages of this console may send one: a form of another
 * site cannot set the content type, a script of another site has another origin, and a name that was made to point at
 * this machine is no loopback name.
 * @throws RL_FORBIDDEN, RL_BAD_REQUEST
 */
export async function readChange(request: Request, loopbackOnly: boolean): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\b/i.test(type)) {
    throw new RinglightError("RL_BAD_REQUEST", "the body must be sent as content-type: application/json");
  }
  const host = request.headers.get("host") ?? "";
  const origin = request.headers.get("origin");
  if (origin === null || !URL.canParse(origin) || new URL(origin).host !== host) {
    throw new RinglightError(
      "RL_FORBIDDEN",
      "changes are taken from this console's own pages only; use the CLI instead",
    );
  }
  if (loopbackOnly && !LOOPBACK_HOST.test(host)) {
    throw new RinglightError(
      "RL_FORBIDDEN",
      `the console listens on loopback and takes changes under localhost or 127.0.0.1 only, not under ${host}`,
    );
  }
  try {
    return await request.json();
  } catch {
    throw new RinglightError("RL_BAD_REQUEST", "the body is not JSON");
  }
}

/** Changes that the console's routes make: who may, from where, and what lands in the audit log. */
import { RinglightError } from "@ringlight/core";
import type { Role } from "../wire-session.ts";
import { CALLER_HEADERS, requiresLogin } from "./caller.ts";
import { runningConsole } from "./console.ts";
import { codeOf } from "./error-body.ts";
import { readChange } from "./respond.ts";

/**
 * Reads the body of a change, makes the change, and notes both that and every refusal in the audit log. A viewer changes
 * nothing.
 * @throws RL_FORBIDDEN, RL_BAD_REQUEST, and whatever `work` throws
 */
export async function change<T>(
  request: Request,
  action: (body: unknown) => string,
  subject: (body: unknown) => string,
  work: (body: unknown) => Promise<T>,
): Promise<T> {
  const { config, audit } = await runningConsole();
  const header = (name: string) => request.headers.get(name) ?? "";
  const role = header(CALLER_HEADERS.role) as Role;
  const who = { user: header(CALLER_HEADERS.user), role, remote: header(CALLER_HEADERS.remote) };
  let body: unknown;
  try {
    body = await readChange(request, !requiresLogin(config));
    if (role !== "operator") {
      throw new RinglightError("RL_FORBIDDEN", "viewers change nothing; log in as an operator");
    }
    const result = await work(body);
    audit.add({ ...who, action: action(body), subject: subject(body), outcome: "ok", detail: "" }, Date.now());
    return result;
  } catch (error) {
    const code = codeOf(error);
    const message = error instanceof Error ? error.message : String(error);
    const outcome = code === "RL_FORBIDDEN" ? "refused" : "failed";
    const what =
      body === undefined
        ? { action: "change", subject: new URL(request.url).pathname }
        : { action: action(body), subject: subject(body) };
    audit.add({ ...who, ...what, outcome, detail: `${code}: ${message}`.slice(0, 500) }, Date.now());
    throw error;
  }
}

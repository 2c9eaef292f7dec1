/** Calls of the console's own routes. What they throw is always code, message and remedy. */
import type { ErrorBody } from "../wire.ts";
import type { SessionView } from "../wire-session.ts";

const UNREACHABLE: ErrorBody = {
  code: "CONSOLE_UNREACHABLE",
  message: "The console's server does not answer.",
  remedy: "Check that `ringlight up` still runs; the page tries again by itself.",
};

/** The trace of an answer, from its body or from its `traceresponse` header (W3C Trace Context, level 2). */
function traceOf(response: Response, error: Partial<ErrorBody> | undefined): { traceId?: string } {
  const traceId = error?.traceId ?? /^00-([0-9a-f]{32})-/.exec(response.headers.get("traceresponse") ?? "")?.[1];
  return traceId === undefined ? {} : { traceId };
}

async function parse<T>(response: Response): Promise<T> {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  // The session has ended: the log-in leads back to this page.
  if (response.status === 401)
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  const error = body as Partial<ErrorBody> | undefined;
  throw {
    code: error?.code ?? `HTTP_${response.status}`,
    message: error?.message ?? `The console answered ${response.status}.`,
    remedy: error?.remedy ?? "Try again; the console's log has more.",
    ...traceOf(response, error),
  } satisfies ErrorBody;
}

/** Reads JSON. @throws ErrorBody */
export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(url, signal ? { signal } : {}).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw UNREACHABLE;
  });
  return parse<T>(response);
}

let csrf: Promise<string> | undefined;

/** What every change carries; asked for once a page. */
function csrfToken(): Promise<string> {
  csrf ??= getJson<SessionView>("/api/session").then((session) => session.csrf);
  csrf.catch(() => {
    csrf = undefined;
  });
  return csrf;
}

/** Sends a change; the answer as it comes. @throws ErrorBody where none comes */
async function send(method: "POST" | "DELETE", url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method,
    headers: { "content-type": "application/json", "x-ringlight-csrf": await csrfToken() },
    body: JSON.stringify(body),
  }).catch(() => {
    throw UNREACHABLE;
  });
}

/** Sends a change. @throws ErrorBody */
export async function sendJson<T>(method: "POST" | "DELETE", url: string, body: unknown): Promise<T> {
  return parse<T>(await send(method, url, body));
}

/** Sends a change whose answer is a file. @throws ErrorBody */
export async function sendForBlob(url: string, body: unknown): Promise<Blob> {
  const response = await send("POST", url, body);
  return response.ok ? response.blob() : parse<never>(response);
}

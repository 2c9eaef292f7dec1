/**
 * Logging in and out, answered at the front door without Next. Where the console listens on loopback only, everybody who
 * reaches it is an operator and there is nothing to log in to. Elsewhere people log in with the cluster token (operator) or
 * with an access key: as an operator where the key has no policy, as a viewer where it has one.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ERRORS, type ErrorCode, RinglightError } from "@ringlight/core";
import type { SessionView } from "../wire-session.ts";
import type { AuditLog } from "./audit-log.ts";
import { LoginLimit } from "./login-limit.ts";
import { loginPage } from "./login-page.ts";
import { type Caller, cookieHeader, type Session, type Sessions } from "./sessions.ts";

/** An access key as far as a log-in needs it. */
export interface LoginKey {
  readonly secretAccessKey: string;
  readonly disabled: boolean;
  readonly limited: boolean;
}

/** What logging in needs. */
export interface LoginOptions {
  readonly required: boolean;
  readonly sessions: Sessions;
  readonly token: string | undefined;
  readonly audit: AuditLog;
  /** Looks an access key up; undefined when there is none of that id. */
  readonly findKey: (accessKeyId: string) => Promise<LoginKey | undefined>;
}

const BODY_BYTES = 16 * 1024;
const KEY_RECHECK_MS = 30_000;
/** Everybody, where no log-in is required. */
const LOCAL: Caller = { user: "local", role: "operator" };
const TOKEN_USER = "cluster-token";

const digest = (text: string) => createHash("sha256").update(text).digest();
const sameSecret = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));

/** Only paths of this console: no other site is ever redirected to. */
const nextOf = (value: string | null) => (value !== null && /^\/(?![/\\])[^\\]*$/.test(value) ? value : "/");

/** Address of whoever asks. */
export const remoteOf = (request: IncomingMessage) => request.socket.remoteAddress ?? "";

export class Login {
  readonly #options: LoginOptions;
  readonly #limit = new LoginLimit();
  /** When keys that sessions were begun with were last seen to hold. */
  readonly #checked = new Map<string, { readonly atMs: number; readonly holds: boolean }>();

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Whether people must log in. */
  get required(): boolean {
    return this.#options.required;
  }

  /** Who makes the request; undefined when a log-in is required and there is no session that holds. */
  async callerOf(
    request: IncomingMessage,
  ): Promise<{ readonly caller: Caller; readonly session?: Session } | undefined> {
    if (!this.#options.required) return { caller: LOCAL };
    // Command lines send the token with every request, and only look: there is no session whose CSRF token a change could carry.
    const reads = request.method === "GET" || request.method === "HEAD";
    if (reads && this.#sentToken(request)) return { caller: { user: TOKEN_USER, role: "viewer" } };
    const session = this.#options.sessions.find(request.headers.cookie, Date.now());
    if (session === undefined || !(await this.#stillHolds(session))) return undefined;
    return { caller: session, session };
  }

  /** Answers `/login` and `/api/session`; false when the request is for something else. */
  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const { pathname } = url;
    if (pathname === "/login") {
      await this.#page(request, response, nextOf(url.searchParams.get("next")));
      return true;
    }
    if (pathname !== "/api/session") return false;
    try {
      if (request.method === "POST") {
        const body = JSON.parse(await bodyOf(request)) as Readonly<Record<string, unknown>>;
        const field = (name: string) => (typeof body?.[name] === "string" ? (body[name] as string) : "");
        const cookie = await this.#begin(request, field("token"), field("accessKeyId"), field("secretAccessKey"));
        json(response, 200, { loggedIn: true }, { "set-cookie": cookie });
      } else if (request.method === "DELETE") {
        json(response, 200, { loggedIn: false }, { "set-cookie": await this.#end(request) });
      } else json(response, 200, await this.#view(request));
    } catch (error) {
      refuse(response, error);
    }
    return true;
  }

  #sentToken({ headers: { authorization } }: IncomingMessage): boolean {
    const { token } = this.#options;
    return token !== undefined && authorization !== undefined && sameSecret(authorization, `Bearer ${token}`);
  }

  /** Notes that a change was refused at the door. */
  refused(request: IncomingMessage, { user, role }: Caller, path: string, why: string): void {
    const entry = { user, role, action: "change", subject: path.slice(0, 200), detail: why, remote: remoteOf(request) };
    this.#options.audit.add({ ...entry, outcome: "refused" }, Date.now());
  }

  async #view(request: IncomingMessage): Promise<SessionView> {
    const { required, sessions } = this.#options;
    const found = await this.callerOf(request);
    return {
      loginRequired: required,
      loggedIn: found !== undefined,
      ...(found === undefined ? {} : { user: found.caller.user, role: found.caller.role }),
      ...(found?.session === undefined ? {} : { expiresMs: found.session.expiresMs }),
      csrf: found?.session === undefined ? "" : sessions.csrfOf(found.session),
    };
  }

  async #page(request: IncomingMessage, response: ServerResponse, next: string): Promise<void> {
    if ((await this.callerOf(request)) !== undefined) return redirect(response, next);
    if (request.method !== "POST") return html(response, 200, loginPage({ next }));
    let wanted = next;
    try {
      const form = new URLSearchParams(await bodyOf(request));
      wanted = nextOf(form.get("next"));
      const field = (name: string) => form.get(name)?.trim() ?? "";
      const cookie = await this.#begin(request, field("token"), field("accessKeyId"), field("secretAccessKey"));
      redirect(response, wanted, { "set-cookie": cookie });
    } catch (error) {
      const code = codeOf(error);
      const status = code === "RL_OVERLOADED" ? 429 : ERRORS[code].http;
      html(
        response,
        status,
        loginPage({ next: wanted, error: error instanceof Error ? error.message : String(error) }),
      );
    }
  }

  /** Begins a session, or says why not; both land in the audit log. Gives the cookie's header. */
  async #begin(request: IncomingMessage, token: string, accessKeyId: string, secret: string): Promise<string> {
    const { required, sessions, audit } = this.#options;
    if (!required)
      throw new RinglightError("RL_BAD_REQUEST", "this console listens on loopback only and has no log-in");
    sameOrigin(request);
    const remote = remoteOf(request);
    const waitMs = this.#limit.waitMs(remote, Date.now());
    const subject = token !== "" ? TOKEN_USER : accessKeyId;
    if (waitMs > 0) {
      throw new RinglightError("RL_OVERLOADED", `too many log-ins failed; try again in ${Math.ceil(waitMs / 1000)} s`);
    }
    const caller = await this.#check(token, accessKeyId, secret);
    const entry = { user: subject.slice(0, 128), action: "login", subject: "console", remote };
    if (caller === undefined) {
      this.#limit.failed(remote, Date.now());
      audit.add({ ...entry, role: "none", outcome: "refused", detail: "wrong token or key" }, Date.now());
      throw new RinglightError("RL_UNAUTHENTICATED", "the token, or the key and its secret, are not right");
    }
    const { value } = sessions.begin(caller, Date.now());
    audit.add({ ...entry, role: caller.role, outcome: "ok", detail: "" }, Date.now());
    return cookieHeader(value, request.headers["x-forwarded-proto"] === "https");
  }

  async #end(request: IncomingMessage): Promise<string> {
    const { sessions, audit } = this.#options;
    sameOrigin(request);
    const found = await this.callerOf(request);
    if (found?.session !== undefined) {
      const csrf = request.headers["x-ringlight-csrf"];
      if (typeof csrf !== "string" || !sessions.isCsrf(found.session, csrf)) {
        throw new RinglightError("RL_FORBIDDEN", "log out by the console's own page");
      }
      sessions.end(found.session, Date.now());
      const { user, role } = found.caller;
      audit.add(
        { user, role, action: "logout", subject: "console", outcome: "ok", detail: "", remote: remoteOf(request) },
        Date.now(),
      );
    }
    return cookieHeader("", false);
  }

  async #check(token: string, accessKeyId: string, secret: string): Promise<Caller | undefined> {
    if (token !== "") {
      const known = this.#options.token;
      return known !== undefined && sameSecret(token, known) ? { user: TOKEN_USER, role: "operator" } : undefined;
    }
    if (accessKeyId === "") return undefined;
    const key = await this.#options.findKey(accessKeyId);
    // The same work for an unknown key: how long it takes tells nothing.
    const right = sameSecret(secret, key?.secretAccessKey ?? "\u0000none");
    if (key === undefined || key.disabled || !right) return undefined;
    return { user: accessKeyId, role: key.limited ? "viewer" : "operator" };
  }

  /** A session of a key ends soon after the key is disabled, removed or limited; while the registry is away it goes on. */
  async #stillHolds({ user, role }: Session): Promise<boolean> {
    if (user === TOKEN_USER) return true;
    const known = this.#checked.get(user);
    if (known !== undefined && Date.now() - known.atMs < KEY_RECHECK_MS) return known.holds;
    let holds = known?.holds ?? true;
    try {
      const key = await this.#options.findKey(user);
      holds = key !== undefined && !key.disabled && (role === "viewer" || !key.limited);
    } catch {
      // The registry does not answer: as it was.
    }
    this.#checked.set(user, { atMs: Date.now(), holds });
    return holds;
  }
}

/** Only this console's own pages may send it: another site's form or script has another origin. */
function sameOrigin(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  if (origin === undefined || !URL.canParse(origin) || new URL(origin).host !== host) {
    throw new RinglightError("RL_FORBIDDEN", "log-ins are taken from this console's own page only");
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_BYTES) throw new RinglightError("RL_BAD_REQUEST", "the body is larger than any log-in");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof SyntaxError) return "RL_BAD_REQUEST";
  return error instanceof RinglightError ? error.code : "RL_INTERNAL";
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
  response.end(JSON.stringify(body));
}

/** Answers an error as every route does. */
export function refuse(response: ServerResponse, error: unknown): void {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const status = code === "RL_OVERLOADED" ? 429 : ERRORS[code].http;
  json(response, status, { code, message, remedy: ERRORS[code].remedy }, status === 429 ? { "retry-after": "60" } : {});
}

function html(response: ServerResponse, status: number, page: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
  });
  response.end(page);
}

function redirect(response: ServerResponse, to: string, headers: Record<string, string> = {}): void {
  response.writeHead(303, { location: to, "cache-control": "no-store", ...headers });
  response.end();
}

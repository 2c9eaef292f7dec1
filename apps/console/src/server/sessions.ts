/**
 * Sessions of people who logged in: a signed cookie that says who and until when, so that nothing has to be stored and a
 * session outlives the console's restart. The key comes from the cluster token; a new token ends all sessions.
 */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import type { Role } from "../wire-session.ts";

/** Who makes a request. */
export interface Caller {
  /** Access key id, "cluster-token", or "local" where no log-in is required. */
  readonly user: string;
  readonly role: Role;
}

/** A session that holds. */
export interface Session extends Caller {
  readonly id: string;
  readonly expiresMs: number;
}

/** Name of the cookie. */
export const SESSION_COOKIE = "ringlight_session";
const LASTS_MS = 12 * 3_600_000;
const INFO = "ringlight console sessions 1";

const sameText = (a: string, b: string) => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
};

export class Sessions {
  readonly #key: Buffer;
  /** Sessions that were logged out of before their end, with that end. */
  readonly #ended = new Map<string, number>();

  /** @param secret the cluster token */
  constructor(secret: string) {
    this.#key = Buffer.from(hkdfSync("sha256", secret, "", INFO, 32));
  }

  /** Begins a session; gives the cookie's value. */
  begin({ user, role }: Caller, nowMs: number): { readonly session: Session; readonly value: string } {
    const session: Session = { id: randomBytes(16).toString("hex"), user, role, expiresMs: nowMs + LASTS_MS };
    const body = Buffer.from(JSON.stringify(session)).toString("base64url");
    return { session, value: `${body}.${this.#sign(`session ${body}`)}` };
  }

  /** The session of a cookie header, if it holds. */
  find(cookies: string | undefined, nowMs: number): Session | undefined {
    for (const part of (cookies ?? "").split(";")) {
      const [name, value] = part.trim().split("=", 2);
      if (name !== SESSION_COOKIE || value === undefined) continue;
      const [body = "", signature = ""] = value.split(".", 2);
      if (!sameText(signature, this.#sign(`session ${body}`))) continue;
      // Signed by this console: it has the shape that `begin` gave it.
      const session = JSON.parse(Buffer.from(body, "base64url").toString()) as Session;
      if (session.expiresMs > nowMs && !this.#ended.has(session.id)) return session;
    }
    return undefined;
  }

  /** Ends a session before its time. */
  end({ id, expiresMs }: Session, nowMs: number): void {
    for (const [ended, until] of this.#ended) if (until <= nowMs) this.#ended.delete(ended);
    this.#ended.set(id, expiresMs);
  }

  /** What every change of a session must carry: only pages of this console can read it. */
  csrfOf({ id }: Pick<Session, "id">): string {
    return this.#sign(`csrf ${id}`);
  }

  /** Whether a change carries what its session must. */
  isCsrf(session: Pick<Session, "id">, given: string): boolean {
    return sameText(this.csrfOf(session), given);
  }

  #sign(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}

/** The cookie header that begins a session, or ends it with an empty value. */
export function cookieHeader(value: string, secure: boolean): string {
  const age = value === "" ? 0 : LASTS_MS / 1000;
  return `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}${secure ? "; Secure" : ""}`;
}

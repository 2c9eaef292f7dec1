/** The JSON of the log-in and of the audit log. */

/** viewer: looks at everything; operator: also changes things. */
export type Role = "viewer" | "operator";

/** `GET /api/session`: who looks at the page. On a console that listens on loopback only, everybody is an operator. */
export interface SessionView {
  readonly loginRequired: boolean;
  readonly loggedIn: boolean;
  /** Access key id, "cluster-token", or "local" where no log-in is required. */
  readonly user?: string;
  readonly role?: Role;
  /** When the session ends. */
  readonly expiresMs?: number;
  /** To be sent as `x-ringlight-csrf` with every request that changes something. Empty while not logged in. */
  readonly csrf: string;
}

/** One line of the audit log. */
export interface AuditEntry {
  readonly id: number;
  readonly atMs: number;
  /** As in SessionView.user. */
  readonly user: string;
  readonly role: Role | "none";
  /** "login", "logout", "mount.add", "mount.remove", "key.create", ... */
  readonly action: string;
  /** What it was done to: a mount, an access key. */
  readonly subject: string;
  readonly outcome: "ok" | "refused" | "failed";
  /** Error code and words, where it did not succeed. */
  readonly detail: string;
  /** Address of the browser. */
  readonly remote: string;
}

/** `GET /api/audit?before=<id>&limit=100&user=&action=`: newest first. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly more: boolean;
}

/** `ringlight events` and `ringlight audit`: what changed in the cluster, and who changed it. */
import { askConsole, type ConsoleOptions } from "../console-connection.ts";
import { localTime, table } from "../format.ts";
import { note, print } from "./output.ts";

/** Options of events. */
export interface EventsOptions extends ConsoleOptions {
  readonly kind?: string;
  readonly text?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
}

/** Options of the audit log. */
export interface AuditOptions extends ConsoleOptions {
  readonly user?: string;
  readonly action?: string;
  readonly limit?: string;
}

interface EventsAnswer {
  readonly events: readonly {
    readonly atMs: number;
    readonly kind: string;
    readonly subject: string;
    readonly text: string;
    readonly tone: "bad" | "good" | "plain";
  }[];
  readonly more: boolean;
}

interface AuditAnswer {
  readonly entries: readonly {
    readonly atMs: number;
    readonly user: string;
    readonly action: string;
    readonly subject: string;
    readonly outcome: string;
    readonly detail: string;
    readonly remote: string;
  }[];
  readonly more: boolean;
}

/** Shows what changed, the newest first. */
export async function events(options: EventsOptions): Promise<void> {
  const { kind, text, from, to, limit } = options;
  const found = await askConsole<EventsAnswer>(options, "/api/changes", { kind, text, from, to, limit });
  print(options.json, found, () =>
    table(
      [{ title: "TIME" }, { title: "KIND" }, { title: "" }, { title: "WHAT" }],
      found.events.map((event) => [localTime(event.atMs), event.kind, event.tone === "bad" ? "!" : "", event.text]),
    ),
  );
  if (!options.json && found.more) note(`The newest ${found.events.length} events; there are more.`);
}

/** Shows who changed what, the newest first. */
export async function audit(options: AuditOptions): Promise<void> {
  const { user, action, limit } = options;
  const found = await askConsole<AuditAnswer>(options, "/api/audit", { user, action, limit });
  print(options.json, found, () =>
    table(
      [
        { title: "TIME" },
        { title: "USER" },
        { title: "ACTION" },
        { title: "SUBJECT" },
        { title: "OUTCOME" },
        { title: "FROM" },
        { title: "DETAIL" },
      ],
      found.entries.map((entry) => [
        localTime(entry.atMs),
        entry.user,
        entry.action,
        entry.subject,
        entry.outcome,
        entry.remote,
        entry.detail,
      ]),
    ),
  );
  if (!options.json && found.more) note(`The newest ${found.entries.length} entries; there are more.`);
}

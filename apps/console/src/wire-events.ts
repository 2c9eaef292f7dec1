/** The JSON of the events route: what changed, and when. */

/** What an event is about. */
export const EVENT_KINDS = [
  "epoch",
  "worker",
  "mount",
  "job",
  "election",
  "config",
  "problem",
  "registry",
  "console",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** One change that the console saw. */
export interface ClusterEvent {
  /** Grows by one with each. */
  readonly id: number;
  readonly atMs: number;
  readonly kind: EventKind;
  /** What it happened to: a worker, a mount, a job, a problem. */
  readonly subject: string;
  /** One sentence without its full stop. */
  readonly text: string;
  /** bad: somebody should look; good: it is over; plain: neither. */
  readonly tone: "bad" | "good" | "plain";
  /** Page of the console that shows more. */
  readonly href?: string;
}

/** `GET /api/changes?from&to&kind=worker,job&text&before=<id>&limit=200`: newest first. */
export interface EventsPage {
  readonly events: readonly ClusterEvent[];
  readonly more: boolean;
  /** Since when this console has been writing events down; 0 when it has not. */
  readonly sinceMs: number;
}

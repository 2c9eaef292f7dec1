"use client";
import type { Job } from "@ringlight/proto";
import { Icon, type IconName } from "@ringlight/ui";

const LOOKS: Readonly<Record<string, readonly [IconName, string]>> = {
  queued: ["clock", "text-muted"],
  running: ["play", "text-accent"],
  paused: ["pause", "text-warn"],
  complete: ["check", "text-ok"],
  partial: ["warning", "text-warn"],
  failed: ["error", "text-bad"],
  stopped: ["close", "text-muted"],
};

/** A job's state, by word, sign and colour. */
export function JobState({ state }: { state: string }) {
  const [icon, tone] = LOOKS[state] ?? ["clock", "text-muted"];
  return (
    <span
      className={`inline-flex items-center gap-1.5 font-medium whitespace-nowrap ${tone}`}
      data-testid="job-state"
      data-state={state}
    >
      <Icon name={icon} size={14} />
      {state}
    </span>
  );
}

/** "load /data/train" and so on. */
export function jobSubject({ spec }: Job): string {
  const { kind = "", paths = [], manifestPath = "", dryRun = false } = spec ?? {};
  const what =
    manifestPath !== "" ? `paths of ${manifestPath}` : paths.length === 0 ? "paths of a manifest" : paths.join(" ");
  return `${kind}${dryRun ? " --dry-run" : ""} ${what}`;
}

/** Objects that were not done. */
export const notDone = (job: Job) => (job.failed?.objects ?? 0) + (job.refused?.objects ?? 0);
/** Objects that are done, or were before. */
export const isDone = (job: Job) => (job.loaded?.objects ?? 0) + (job.cached?.objects ?? 0);

import { Badge } from "@ringlight/ui";
import type { MountView } from "../../wire.ts";

/** How many of the workers reach the store behind a mount, and what the others met. */
export function MountStateBadge({ mount }: { mount: MountView }) {
  const { checks, asked } = mount;
  if (checks.length === 0) {
    return <Badge tone="idle">{asked > 0 ? `0 of ${asked} workers answered` : "not asked yet"}</Badge>;
  }
  const reached = checks.filter((check) => check.ok).length;
  const failures = new Map<string, string[]>();
  for (const check of checks) {
    if (check.ok) continue;
    const words = `${check.code ?? ""} ${check.message ?? ""}`.trim();
    failures.set(words, [...(failures.get(words) ?? []), check.workerId]);
  }
  return (
    <div>
      <Badge tone={reached === asked ? "ok" : reached === 0 ? "bad" : "warn"}>
        {reached} of {asked} {asked === 1 ? "worker" : "workers"} can reach it
      </Badge>
      {checks.length < asked && (
        <p className="mt-1 text-xs text-muted">
          {checks.length} of {asked} answered
        </p>
      )}
      {[...failures].map(([words, ids]) => (
        <p key={words} className="mt-1 max-w-md text-xs break-words text-muted">
          <span className="font-mono">{ids.join(", ")}</span>: {words}
        </p>
      ))}
    </div>
  );
}

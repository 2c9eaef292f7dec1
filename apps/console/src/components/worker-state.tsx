import { Badge, type Tone } from "@ringlight/ui";
import type { WorkerState } from "../wire.ts";

const TONES: Record<WorkerState, Tone> = { live: "ok", connecting: "idle", unreachable: "warn", down: "bad" };

/** A worker's state, as a sign and a word. */
export function WorkerStateBadge({ state, reason }: { state: WorkerState; reason?: string | undefined }) {
  return (
    <Badge tone={TONES[state]} title={reason}>
      {state}
    </Badge>
  );
}

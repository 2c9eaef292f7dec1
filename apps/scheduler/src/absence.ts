/** Which members of the ring are away, and since when. */
import type { ClusterView } from "@ringlight/core";

/** A member without a lease. */
export interface Absence {
  readonly id: string;
  /** Monotonic time at which it was first seen away, milliseconds. */
  readonly sinceMs: number;
}

/**
 * Follows absences over the views of the cluster. While the registry does not answer nobody can be seen coming or going,
 * so every absence begins anew when it answers again.
 */
export class AbsenceTracker {
  readonly #since = new Map<string, number>();

  /** Takes a view into account. */
  observe(view: ClusterView, nowMs: number): void {
    if (!view.connected) {
      this.#since.clear();
      return;
    }
    const members = new Set(view.members.map(({ id }) => id));
    for (const id of this.#since.keys()) {
      if (!members.has(id) || view.workers.has(id)) this.#since.delete(id);
    }
    for (const id of members) {
      if (!view.workers.has(id) && !this.#since.has(id)) this.#since.set(id, nowMs);
    }
  }

  /** Members that are away, longest first. */
  absent(): Absence[] {
    return [...this.#since].map(([id, sinceMs]) => ({ id, sinceMs })).sort((a, b) => a.sinceMs - b.sinceMs);
  }

  /** Ids of the members that have been away for at least `limitMs`. */
  overdue(nowMs: number, limitMs: number): string[] {
    return this.absent()
      .filter(({ sinceMs }) => nowMs - sinceMs >= limitMs)
      .map(({ id }) => id);
  }
}

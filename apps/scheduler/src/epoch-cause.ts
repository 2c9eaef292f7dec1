/** Says in words what made an epoch of the ring. */
import type { MemberRecord } from "@ringlight/core";

/** Compares two member sets: "worker-2 joined, worker-5 left". "first epoch" when there was none before. */
export function epochCause(before: readonly MemberRecord[] | undefined, after: readonly MemberRecord[]): string {
  if (before === undefined)
    return after.length === 0 ? "no members" : `first seen with ${after.map(({ id }) => id).join(", ")}`;
  const old = new Map(before.map((member) => [member.id, member]));
  const causes: string[] = [];
  for (const member of after) {
    const known = old.get(member.id);
    old.delete(member.id);
    if (known === undefined) causes.push(`${member.id} joined`);
    else if (known.weight !== member.weight)
      causes.push(`${member.id} weighs ${member.weight} instead of ${known.weight}`);
  }
  for (const id of old.keys()) causes.push(`${id} left`);
  return causes.length === 0 ? "no change of members" : causes.join(", ");
}

/** Problems as the overview lists them: a thousand of one kind are one thing that is wrong, a thousand times. */
import type { Problem } from "../wire.ts";

/** Problems of one kind that follow each other in the list, which has the worst first. */
export function kindsOf(problems: readonly Problem[]): Problem[][] {
  const kinds: Problem[][] = [];
  for (const problem of problems) {
    const last = kinds.at(-1);
    if (last?.[0]?.kind === problem.kind && last[0].severity === problem.severity) last.push(problem);
    else kinds.push([problem]);
  }
  return kinds;
}

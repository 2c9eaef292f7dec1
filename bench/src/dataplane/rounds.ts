/** Rounds: all sides in turn, the order rotated each time, so that all meet the same moods of the machine. */
import type { Measured } from "./measured.ts";

/** One side of a comparison: runs a round. Round 0 is the warm-up, and is not kept. */
export type Side = (round: number) => Promise<Measured>;

/** Runs a warm-up round and `rounds` measured ones. The answer has the measured rounds of each side, in order. */
export async function interleave<Name extends string>(
  sides: Readonly<Record<Name, Side>>,
  rounds: number,
): Promise<Record<Name, Measured[]>> {
  const names = Object.keys(sides) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, [] as Measured[]])) as Record<Name, Measured[]>;
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length];
      if (name === undefined) continue;
      try {
        const measured = await sides[name](round);
        if (round > 0) taken[name].push(measured);
      } catch (error) {
        throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  }
  return taken;
}

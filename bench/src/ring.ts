/**
 * Speed of the ring: build, update and look-up, beside the bounds that the design sets. Times are the best of several
 * rounds, since a busy machine only ever adds to them.
 */
import { buildRing, type Ring, type RingMember, whatIf } from "@ringlight/ring";

const equalMembers = (count: number): RingMember[] =>
  Array.from({ length: count }, (_, index) => ({ id: `worker-${index}`, weight: 1 }));

/** Milliseconds of the fastest of `rounds` runs. */
function bestMs(rounds: number, run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const LOOKUPS = 200_000;

/** Microseconds of one look-up of a typical key, on average over many different keys. */
function lookupUs(ring: Ring, keys: readonly string[], lookup: (ring: Ring, key: string) => unknown): number {
  let used = 0;
  const ms = bestMs(5, () => {
    for (let at = 0; at < LOOKUPS; at++) if (lookup(ring, keys[at % keys.length]!) !== undefined) used++;
  });
  if (used === 0) throw new Error("the look-ups found nothing");
  return (ms * 1000) / LOOKUPS;
}

/** Prints a table of the ring's speeds: what was measured and the bound, if there is one. */
export async function benchRing(): Promise<void> {
  const keys = Array.from(
    { length: 4096 },
    (_, at) => `warehouse/orders/date=2024-01-${at % 28}/part-${at}.snappy.parquet`,
  );
  const rows: Record<string, { measured: string; bound: string }> = {};
  const add = (name: string, measured: number, unit: string, bound: string) => {
    rows[name] = { measured: `${measured.toFixed(measured < 1 ? 3 : 1)} ${unit}`, bound };
  };
  for (const { count, rounds, build, update } of [
    { count: 3, rounds: 5, build: "", update: "" },
    { count: 50, rounds: 5, build: "< 300 ms", update: "< 100 ms" },
    { count: 200, rounds: 5, build: "", update: "" },
    { count: 1500, rounds: 2, build: "< 10000 ms", update: "" },
  ]) {
    const members = equalMembers(count);
    const ring = buildRing(members);
    const grown = [...members, { id: "worker-new", weight: 1 }];
    const shrunk = members.slice(1);
    const first = members.slice(0, 1).map(({ id }) => id);
    add(
      `build, ${count} members`,
      bestMs(rounds, () => buildRing(members)),
      "ms",
      build,
    );
    add(
      `one more, ${count} members`,
      bestMs(rounds, () => buildRing(grown, { previous: ring })),
      "ms",
      update,
    );
    add(
      `one less, ${count} members`,
      bestMs(rounds, () => buildRing(shrunk, { previous: ring })),
      "ms",
      update,
    );
    add(
      `whatIf with diff, ${count} members`,
      bestMs(rounds, () => whatIf(ring, { remove: first })),
      "ms",
      "",
    );
    add(
      `arcOf + primaryIndex, ${count} members`,
      lookupUs(ring, keys, (r, key) => r.primaryIndex(r.arcOf(key))),
      "µs",
      "< 0.5 µs",
    );
    add(
      `owners, ${count} members`,
      lookupUs(ring, keys, (r, key) => r.owners(key)),
      "µs",
      "< 0.5 µs",
    );
  }
  console.table(rows);
}

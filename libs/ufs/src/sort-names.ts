/**
 * Sorting of very many names without holding up the event loop: runs are sorted by themselves and merged pair by pair,
 * with a pause for others after each slice of work. A million names sorted at once would stop a worker for a second.
 */
import { compareKeys } from "@ringlight/core";

/** Names sorted or merged between two pauses: a few milliseconds of work. */
const SLICE = 8192;
const SURROGATE = /[\ud800-\udfff]/;

const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Is `a` not behind `b` in the order of UTF-8 bytes? */
type NotBehind = (a: string, b: string) => boolean;

/** Sorts names into the order of their UTF-8 bytes; takes the array over. */
export async function sortNames(names: string[]): Promise<string[]> {
  // The built-in comparison is by UTF-16 units: the same order where no surrogates are, and several times as fast.
  const plain = !names.some((name) => SURROGATE.test(name));
  const sort = (run: string[]) => (plain ? run.sort() : run.sort(compareKeys));
  if (names.length <= SLICE) return sort(names);
  let runs: string[][] = [];
  for (let from = 0; from < names.length; from += SLICE) {
    runs.push(sort(names.slice(from, from + SLICE)));
    await breathe();
  }
  const notBehind: NotBehind = plain ? (a, b) => a <= b : (a, b) => compareKeys(a, b) <= 0;
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const [left, right] = [runs[index] ?? [], runs[index + 1]];
      merged.push(right === undefined ? left : await merge(left, right, notBehind));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(left: readonly string[], right: readonly string[], notBehind: NotBehind): Promise<string[]> {
  const merged = new Array<string>(left.length + right.length);
  let l = 0;
  let r = 0;
  for (let at = 0; at < merged.length; at++) {
    const [a, b] = [left[l], right[r]];
    if (a !== undefined && (b === undefined || notBehind(a, b))) {
      merged[at] = a;
      l++;
    } else {
      merged[at] = b ?? "";
      r++;
    }
    if (at % SLICE === SLICE - 1) await breathe();
  }
  return merged;
}

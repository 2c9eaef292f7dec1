/**
 * A change of the ring to try out, and what it would cost: pages that go over, and what that does to the hit rate. Written
 * in the URL as "+2@1,-worker-3,worker-1@2": two more of weight 1, one less, one of another weight.
 */
import type { RingDiff } from "@ringlight/ring";

/** The change. */
export interface RingWish {
  readonly add: number;
  /** Weight of each that is added. */
  readonly addWeight: number;
  readonly remove: readonly string[];
  readonly weights: Readonly<Record<string, number>>;
}

/** No change. */
export const NO_WISH: RingWish = { add: 0, addWeight: 1, remove: [], weights: {} };

/** Workers that can be added at once: more would be another cluster. */
export const MOST_ADDED = 200;

/** Whether anything would change. */
export function isWish(wish: RingWish): boolean {
  return wish.add > 0 || wish.remove.length > 0 || Object.keys(wish.weights).length > 0;
}

/** Reads a change; what cannot be read is left out. */
export function parseWish(text: string): RingWish {
  let add = 0;
  let addWeight = 1;
  const remove: string[] = [];
  const weights: Record<string, number> = {};
  for (const part of text.split(",").filter(Boolean)) {
    const added = /^\+(\d{1,3})(?:@(\d+(?:\.\d+)?))?$/.exec(part);
    const weighed = /^(.+)@(\d+(?:\.\d+)?)$/.exec(part);
    if (added) {
      add = Math.min(MOST_ADDED, Number(added[1]));
      addWeight = Number(added[2] ?? 1) || 1;
    } else if (part.startsWith("-") && part.length > 1) remove.push(part.slice(1));
    else if (weighed && Number(weighed[2]) > 0) weights[weighed[1]!] = Number(weighed[2]);
  }
  return { add, addWeight, remove, weights };
}

/** The text of a change; empty for none. */
export function writeWish({ add, addWeight, remove, weights }: RingWish): string {
  return [
    ...(add > 0 ? [`+${add}${addWeight === 1 ? "" : `@${addWeight}`}`] : []),
    ...remove.map((id) => `-${id}`),
    ...Object.entries(weights).map(([id, weight]) => `${id}@${weight}`),
  ].join(",");
}

/** Ids for workers that do not exist yet; none that is taken. */
export function newIds(count: number, taken: ReadonlySet<string>): string[] {
  const ids: string[] = [];
  for (let number = 1; ids.length < count; number++) {
    const id = `new-${number}`;
    if (!taken.has(id)) ids.push(id);
  }
  return ids;
}

/** What one worker holds at this moment. */
export interface Holding {
  readonly bytes: number;
  readonly pages: number;
  readonly limitBytes: number;
}

/** What the change would cost. */
export interface WishCost {
  /** Cached bytes of arcs that get another first owner. */
  readonly movedBytes: number;
  readonly movedPages: number;
  /** Of those, what leaves with workers that are removed: gone, if they die rather than hand over. */
  readonly lostBytes: number;
  /** Share of requests that goes to another worker than before. */
  readonly movedShare: number;
  /** Bytes that no longer fit when all has been handed over, because the cluster's tiers are smaller than what it holds. */
  readonly overflowBytes: number;
  /** Hit rates, 0 to 1; undefined where nothing is read. */
  readonly hitRate: number | undefined;
  /** Right after the change with nothing handed over: requests of moved arcs miss once. */
  readonly coldHitRate: number | undefined;
  /** Once all has been handed over. */
  readonly warmHitRate: number | undefined;
}

/**
 * Estimates the cost. It takes a worker's cached bytes, and the requests, to lie evenly on its arcs, which the ring's hash
 * makes true of many keys and not of few; and what no longer fits to be asked for as often as the rest, which errs on the
 * dark side, since what is evicted is what is asked for least.
 */
export function wishCost(
  diff: RingDiff,
  holdings: ReadonlyMap<string, Holding>,
  removed: ReadonlySet<string>,
  addedLimitBytes: number,
  hitRate: number | undefined,
): WishCost {
  let [movedBytes, movedPages, lostBytes, heldBytes, limitBytes] = [0, 0, 0, 0, addedLimitBytes];
  for (const member of diff.members) {
    const holding = holdings.get(member.id);
    if (!holding) continue;
    heldBytes += holding.bytes;
    if (!removed.has(member.id)) limitBytes += holding.limitBytes;
    const ownedArcs = member.shareBefore * diff.arcs;
    const share = ownedArcs > 0 ? Math.min(1, member.lostArcs / ownedArcs) : 0;
    movedBytes += holding.bytes * share;
    movedPages += holding.pages * share;
    if (removed.has(member.id)) lostBytes += holding.bytes * share;
  }
  const overflowBytes = Math.max(0, heldBytes - limitBytes);
  return {
    movedBytes,
    movedPages,
    lostBytes,
    movedShare: diff.movedShare,
    overflowBytes,
    hitRate,
    coldHitRate: hitRate === undefined ? undefined : hitRate * (1 - diff.movedShare),
    warmHitRate:
      hitRate === undefined ? undefined : hitRate * (heldBytes > 0 ? Math.max(0, 1 - overflowBytes / heldBytes) : 1),
  };
}

/** Divides a job's rate among the workers that have work for it. */

/** One worker's part. */
export interface RateShare {
  readonly id: string;
  /** It has tasks of the job. */
  readonly busy: boolean;
  /** What it may use now, bytes a second. */
  readonly allotted: number;
  /** What it used lately, bytes a second; undefined while nobody can tell. */
  readonly used: number | undefined;
}

/** Below this part of its share a worker is held up by something else than the rate. */
const HUNGRY = 0.8;
/** What such a worker gets beyond what it uses, so that it can show that it wants more. */
const HEADROOM = 1.5;
/** Of an equal share, what a busy worker gets at least. */
const FLOOR = 0.1;

/**
 * New shares: their sum is never more than the total. A busy worker that does not use its share gets a little more than it
 * uses, and what is left goes to the others in equal parts.
 */
export function divideRate(total: number, shares: readonly RateShare[]): Map<string, number> {
  const result = new Map(shares.map(({ id }) => [id, 0]));
  let open = shares.filter(({ busy }) => busy);
  if (open.length === 0) return result;
  const least = (total / open.length) * FLOOR;
  const cap = ({ allotted, used }: RateShare) =>
    used === undefined || used >= allotted * HUNGRY ? Number.POSITIVE_INFINITY : Math.max(least, used * HEADROOM);
  let left = total;
  for (;;) {
    const equal = left / open.length;
    const capped = open.filter((share) => cap(share) < equal);
    if (capped.length === 0 || capped.length === open.length) {
      for (const { id } of open) result.set(id, Math.floor(equal));
      return result;
    }
    for (const share of capped) {
      result.set(share.id, Math.floor(cap(share)));
      left -= cap(share);
    }
    open = open.filter((share) => !capped.includes(share));
  }
}

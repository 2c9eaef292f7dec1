/** Arcs that go from one member to another, as ribbons across the ring. */

/** Who hands over to whom. */
export interface RingFlow {
  readonly from: string;
  readonly to: string;
  /** Share of the whole ring, 0 to 1. */
  readonly share: number;
}

/** A ribbon in the drawing's coordinates. */
export interface Ribbon extends RingFlow {
  readonly path: string;
  readonly widthPx: number;
}

const NARROWEST_PX = 1.5;
const WIDEST_PX = 26;
/** More ribbons than this are a fog: the smallest are left out, and the table says them. */
const MOST_RIBBONS = 60;

/**
 * Ribbons between members at their middles (angles in radians, clockwise from the top). They bend towards the centre, and
 * their width is the square root of the share, so that a small hand-over beside a large one can still be seen.
 */
export function ribbons(
  flows: readonly RingFlow[],
  middles: ReadonlyMap<string, number>,
  centre: number,
  radius: number,
): Ribbon[] {
  const shown = flows
    .filter(({ from, to, share }) => share > 0 && middles.has(from) && middles.has(to) && from !== to)
    .sort((a, b) => b.share - a.share)
    .slice(0, MOST_RIBBONS);
  const widest = Math.sqrt(shown[0]?.share ?? 1);
  const at = (angle: number, length: number) =>
    `${(centre + Math.sin(angle) * length).toFixed(1)} ${(centre - Math.cos(angle) * length).toFixed(1)}`;
  return shown.map((flow) => {
    const [start, end] = [middles.get(flow.from)!, middles.get(flow.to)!];
    return {
      ...flow,
      path: `M${at(start, radius)}C${at(start, radius * 0.45)} ${at(end, radius * 0.45)} ${at(end, radius)}`,
      widthPx: NARROWEST_PX + (Math.sqrt(flow.share) / widest) * (WIDEST_PX - NARROWEST_PX),
    };
  });
}

/**
 * The owners to paint at a moment of the change from one table of first owners to another: arcs flip in a scattered order,
 * so that the eye sees how many go and that they go from everywhere. `progress` runs from 0 (all old) to 1 (all new).
 */
export function flipOwners(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  progress: number,
  into: Uint16Array,
): void {
  const limit = progress * 65536;
  for (let arc = 0; arc < into.length; arc++) {
    // Fibonacci hashing scatters neighbours far apart.
    const turn = (Math.imul(arc, 0x9e3779b1) >>> 16) & 0xffff;
    into[arc] = turn < limit ? after[arc]! : before[arc]!;
  }
}

/** A treemap's rectangles: areas by value, as square as can be (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000). */

/** A rectangle within the unit square that the map fills. */
export interface TreemapCell<T> {
  readonly item: T;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Lays items out in a rectangle of `aspect` (width by height), in fractions of it. Items without a value are left out; the
 * others come the largest first.
 */
export function treemap<T>(items: readonly T[], weightOf: (item: T) => number, aspect: number): TreemapCell<T>[] {
  const sorted = items.filter((item) => weightOf(item) > 0).sort((a, b) => weightOf(b) - weightOf(a));
  const total = sorted.reduce((sum, item) => sum + weightOf(item), 0);
  const cells: TreemapCell<T>[] = [];
  // What is left of the rectangle, `aspect` wide and 1 high; areas are values scaled to it.
  const free = { x: 0, y: 0, width: aspect, height: 1 };
  const areaOf = (item: T) => (weightOf(item) / total) * aspect;
  for (let at = 0; at < sorted.length; ) {
    const side = Math.min(free.width, free.height);
    let count = 1;
    let area = areaOf(sorted[at]!);
    let worst = worstRatio(area, area, area, side);
    for (; at + count < sorted.length; count++) {
      const smallest = areaOf(sorted[at + count]!);
      const next = worstRatio(areaOf(sorted[at]!), smallest, area + smallest, side);
      if (next > worst) break;
      area += smallest;
      worst = next;
    }
    const thickness = area / side;
    const isColumn = free.width >= free.height;
    let along = isColumn ? free.y : free.x;
    for (const item of sorted.slice(at, at + count)) {
      const length = areaOf(item) / thickness;
      cells.push({
        item,
        x: (isColumn ? free.x : along) / aspect,
        y: isColumn ? along : free.y,
        width: (isColumn ? thickness : length) / aspect,
        height: isColumn ? length : thickness,
      });
      along += length;
    }
    if (isColumn) {
      free.x += thickness;
      free.width = Math.max(0, free.width - thickness);
    } else {
      free.y += thickness;
      free.height = Math.max(0, free.height - thickness);
    }
    at += count;
  }
  return cells;
}

/** The ratio of sides of the least square cell of a row. */
function worstRatio(largest: number, smallest: number, area: number, side: number): number {
  const square = side * side;
  return Math.max((square * largest) / (area * area), (area * area) / (square * smallest));
}

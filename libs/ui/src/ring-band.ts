/**
 * The band of the ring's picture: every arc is one cell. Arcs run clockwise from the top, and each step of the angle
 * holds a column of consecutive arcs, the first at the inner edge. So 2^16 arcs make 1,024 columns of 64 cells, and
 * what is seen is the real table that routes reads, not a drawing of it.
 *
 * Pure functions of numbers: the same code paints, finds the arc under the pointer, and places the marker.
 */
import type { RgbColour } from "./palette.ts";

/** Where the band lies in a square picture, pixels of the canvas. */
export interface BandGeometry {
  readonly sizePx: number;
  readonly innerPx: number;
  readonly outerPx: number;
  /** Steps of the angle. */
  readonly columns: number;
  /** Cells in each step; columns × rows is the number of arcs. */
  readonly rows: number;
}

/** Lays out a band for a number of arcs (a power of two). */
export function bandGeometry(arcs: number, sizePx: number, innerShare: number, outerShare: number): BandGeometry {
  const bits = Math.round(Math.log2(Math.max(1, arcs)));
  const rows = 2 ** Math.max(0, Math.floor((bits - 4) / 2));
  return {
    sizePx,
    innerPx: (sizePx / 2) * innerShare,
    outerPx: (sizePx / 2) * outerShare,
    columns: arcs / rows,
    rows,
  };
}

/** The arc at a point of the picture, or undefined outside of the band. */
export function arcAt(geometry: BandGeometry, x: number, y: number): number | undefined {
  const { sizePx, innerPx, outerPx, columns, rows } = geometry;
  const dx = x - sizePx / 2;
  const dy = y - sizePx / 2;
  const radius = Math.hypot(dx, dy);
  if (radius < innerPx || radius >= outerPx) return undefined;
  const turn = (Math.atan2(dx, -dy) / (2 * Math.PI) + 1) % 1;
  const column = Math.min(columns - 1, Math.floor(turn * columns));
  const row = Math.min(rows - 1, Math.floor(((radius - innerPx) / (outerPx - innerPx)) * rows));
  return column * rows + row;
}

/** The middle of an arc's cell in the picture, and its direction: radians clockwise from the top. */
export function arcPosition(geometry: BandGeometry, arc: number): { x: number; y: number; angle: number } {
  const { sizePx, innerPx, outerPx, columns, rows } = geometry;
  const angle = ((Math.floor(arc / rows) + 0.5) / columns) * 2 * Math.PI;
  const radius = innerPx + (((arc % rows) + 0.5) / rows) * (outerPx - innerPx);
  return { x: sizePx / 2 + Math.sin(angle) * radius, y: sizePx / 2 - Math.cos(angle) * radius, angle };
}

/** How one member's arcs are painted. */
export interface BandStyle {
  readonly colour: RgbColour;
  /** Striped: the member is down. */
  readonly hatched: boolean;
  /** Faded: another member is selected. */
  readonly faded: boolean;
}

/**
 * Paints the band into RGBA pixels (sizePx × sizePx × 4). `owners` gives each arc's first owner as an index into
 * `styles`; an index out of range is left transparent. Edges are smoothed by coverage.
 */
export function paintBand(
  pixels: Uint8ClampedArray,
  geometry: BandGeometry,
  owners: ArrayLike<number>,
  styles: readonly BandStyle[],
  background: RgbColour,
): void {
  const { sizePx, innerPx, outerPx } = geometry;
  const centre = sizePx / 2;
  for (let y = 0; y < sizePx; y++) {
    const reach = outerPx * outerPx - (y + 0.5 - centre) ** 2;
    if (reach < 0) continue;
    const half = Math.sqrt(reach);
    const from = Math.max(0, Math.floor(centre - half) - 1);
    const to = Math.min(sizePx - 1, Math.ceil(centre + half) + 1);
    for (let x = from; x <= to; x++) {
      const arc = arcAt(geometry, x + 0.5, y + 0.5);
      if (arc === undefined) continue;
      const style = styles[owners[arc] ?? -1];
      if (!style) continue;
      const radius = Math.hypot(x + 0.5 - centre, y + 0.5 - centre);
      const coverage = Math.min(1, radius - innerPx + 0.5, outerPx - radius + 0.5);
      const striped = style.hatched && (x + y) % 10 < 5;
      const strength = style.faded ? 0.1 : striped ? 0.18 : style.hatched ? 0.6 : 1;
      const offset = (y * sizePx + x) * 4;
      for (let channel = 0; channel < 3; channel++) {
        pixels[offset + channel] = background[channel]! + (style.colour[channel]! - background[channel]!) * strength;
      }
      pixels[offset + 3] = 255 * coverage;
    }
  }
}

/** Arcs that each member owns first. */
export function countArcs(owners: ArrayLike<number>, members: number): number[] {
  const counts = new Array<number>(members).fill(0);
  for (let arc = 0; arc < owners.length; arc++) {
    const owner = owners[arc]!;
    if (owner < members) counts[owner]!++;
  }
  return counts;
}

/** One slice of the share donut, angles in radians clockwise from the top. */
export interface DonutSlice {
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** Cuts a circle by shares, largest first, so that equal colours never hide who owns more. */
export function donutSlices(shares: readonly number[]): DonutSlice[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (total <= 0) return [];
  let angle = 0;
  return shares
    .map((share, index) => ({ share, index }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share || a.index - b.index)
    .map(({ share, index }) => {
      const start = angle;
      angle += (share / total) * 2 * Math.PI;
      return { index, start, end: angle };
    });
}

/** SVG path of a slice of a ring between two radii. */
export function slicePath(centre: number, inner: number, outer: number, start: number, end: number): string {
  const whole = end - start >= 2 * Math.PI - 1e-6;
  const stop = whole ? start + Math.PI : end;
  const at = (radius: number, angle: number) =>
    `${(centre + Math.sin(angle) * radius).toFixed(2)} ${(centre - Math.cos(angle) * radius).toFixed(2)}`;
  if (whole) {
    return [
      `M${at(outer, start)}A${outer} ${outer} 0 0 1 ${at(outer, stop)}A${outer} ${outer} 0 0 1 ${at(outer, start)}`,
      `M${at(inner, start)}A${inner} ${inner} 0 0 0 ${at(inner, stop)}A${inner} ${inner} 0 0 0 ${at(inner, start)}Z`,
    ].join("");
  }
  const large = end - start > Math.PI ? 1 : 0;
  return `M${at(outer, start)}A${outer} ${outer} 0 ${large} 1 ${at(outer, end)}L${at(inner, end)}A${inner} ${inner} 0 ${large} 0 ${at(inner, start)}Z`;
}

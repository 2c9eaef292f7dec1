/** Colours of data: which token stands for which worker, tier and outcome. */

/** Workers that have a token of their own. */
const NAMED_WORKER_COLOURS = 12;

/** The colour of the n-th worker, as CSS: a token for the first twelve, then hues by the golden angle. */
export function workerColour(index: number): string {
  if (index < NAMED_WORKER_COLOURS) return `var(--rl-w${index})`;
  const hue = Math.round((index * 137.508) % 360);
  const lightness = [0.62, 0.7, 0.55][index % 3];
  return `oklch(${lightness} 0.14 ${hue})`;
}

/**
 * Colours by member id. Members keep the order in which they joined, so that a newcomer changes nobody's colour.
 */
export function workerColours(
  members: readonly { readonly id: string; readonly joinedMs: number }[],
): ReadonlyMap<string, string> {
  const ordered = [...members].sort((a, b) => a.joinedMs - b.joinedMs || (a.id < b.id ? -1 : 1));
  return new Map(ordered.map((member, index) => [member.id, workerColour(index)]));
}

const TIER_COLOURS: Readonly<Record<string, string>> = {
  mem: "var(--rl-tier-mem)",
  ssd: "var(--rl-tier-ssd)",
  hdd: "var(--rl-tier-hdd)",
};

/** The colour of a tier, as CSS. */
export function tierColour(tier: string): string {
  return TIER_COLOURS[tier] ?? "var(--rl-tier-other)";
}

const TIER_ORDER: readonly string[] = ["mem", "ssd", "hdd"];

/** Tiers in the order of the hierarchy: mem, ssd, hdd, then the rest by name. */
export function compareTiers(a: string, b: string): number {
  const rank = (tier: string) => (TIER_ORDER.includes(tier) ? TIER_ORDER.indexOf(tier) : TIER_ORDER.length);
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** What colours resolve to, by the theme that they were resolved in. */
const resolved = new Map<string, Map<string, RgbColour>>();

/**
 * Resolves CSS colours (tokens too) to numbers, for canvases. What a theme makes of a colour is asked for once. Needs a document.
 * @param theme that the page shows: see useTheme()
 */
export function resolveColours(colours: readonly string[], host: HTMLElement, theme: string): RgbColour[] {
  const known = resolved.get(theme) ?? new Map<string, RgbColour>();
  resolved.set(theme, known);
  const unknown = [...new Set(colours)].filter((colour) => !known.has(colour));
  if (unknown.length > 0) for (const [colour, rgb] of resolveNow(unknown, host)) known.set(colour, rgb);
  return colours.map((colour) => known.get(colour)!);
}

function resolveNow(colours: readonly string[], host: HTMLElement): [string, RgbColour][] {
  const probe = document.createElement("span");
  probe.style.display = "none";
  host.append(probe);
  const canvas = document.createElement("canvas");
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  try {
    return colours.map((colour): [string, RgbColour] => {
      probe.style.color = colour;
      const computed = getComputedStyle(probe).color;
      const plain = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(computed);
      if (plain) return [colour, [Number(plain[1]), Number(plain[2]), Number(plain[3])]];
      if (!context) return [colour, [128, 128, 128]];
      context.fillStyle = computed;
      context.fillRect(0, 0, 1, 1);
      const [red = 128, green = 128, blue = 128] = context.getImageData(0, 0, 1, 1).data;
      return [colour, [red, green, blue]];
    });
  } finally {
    probe.remove();
  }
}

/** Red, green, blue, 0 to 255 each. */
export type RgbColour = readonly [number, number, number];

/** `ringlight cache`: what is cached, what is hot, and with --mrc what more or less room would do. */
import type { Contents, MissRatioCurve, RinglightClient } from "@ringlight/client";
import { formatBytes, formatDuration } from "@ringlight/core";
import { withClient } from "../connection.ts";
import { count, percent, table } from "../format.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

const PATHS = 20;
const HOT = 10;
/** Width of the curve's bars, characters. */
const BAR = 40;

/** Options of the command. */
export interface CacheOptions extends CommonOptions {
  readonly mrc?: boolean;
  readonly depth?: string;
}

function shape(contents: Contents) {
  const { atMs, tiers, paths, otherBytes, unnamedBytes, hot, hotWindowMs, answered, workers } = contents;
  return { atMs, tiers, paths, otherBytes, unnamedBytes, hot, hotWindowMs, answered, total: workers };
}

function curveShape(curve: MissRatioCurve) {
  const { sinceMs, requests, hitRatio, points, changes, tiers, workingSets, sampleRate, answered, workers } = curve;
  return {
    sinceMs,
    requests,
    hitRatio,
    advice: curve.advice ?? null,
    points,
    changes,
    tiers,
    workingSets,
    sampleRate,
    answered,
    total: workers,
  };
}

/** "20 min to 1 h", for milliseconds from one bound to the other. */
function ageText(from: number, to: number): string {
  if (from < 0) return "from before the start";
  if (from === 0) return `up to ${formatDuration(to)}`;
  return to === 0 ? `${formatDuration(from)} and more` : `${formatDuration(from)} to ${formatDuration(to)}`;
}

function usesText(from: number, to: number): string {
  if (to === from + 1) return from === 0 ? "not read since" : count(from, "read");
  return to === 0 ? `${from} reads and more` : `${from} to ${to - 1} reads`;
}

function render(prefix: string, contents: Contents): string {
  const { tiers, paths, hot, otherBytes, unnamedBytes, hotWindowMs } = contents;
  const below = paths.reduce((sum, { bytes }) => sum + bytes, otherBytes);
  const bands = (kind: "ages" | "uses", text: (from: number, to: number) => string) =>
    tiers.flatMap((tier) =>
      tier[kind]
        .filter(({ pages }) => pages > 0)
        .map(({ from, to, pages, bytes }) => [
          tier.name,
          text(from, to),
          String(pages),
          formatBytes(bytes),
          percent(bytes, tier.bytes),
        ]),
    );
  const bandColumns = (title: string) => [
    { title: "TIER" },
    { title },
    { title: "PAGES", right: true },
    { title: "BYTES", right: true },
    { title: "SHARE", right: true },
  ];
  const parts = [
    `Cached below ${prefix}: ${formatBytes(below)} on all tiers together.`,
    table(
      [
        { title: "PATH" },
        { title: "BYTES", right: true },
        { title: "PAGES", right: true },
        { title: "OBJECTS", right: true },
      ],
      paths
        .slice(0, PATHS)
        .map(({ path, bytes, pages, objects }) => [path, formatBytes(bytes), String(pages), String(objects)]),
    ),
  ];
  const rest = paths.slice(PATHS).reduce((sum, { bytes }) => sum + bytes, otherBytes);
  if (rest > 0) parts.push(`and ${formatBytes(rest)} elsewhere below it.`);
  if (unnamedBytes > 0) parts.push(`${formatBytes(unnamedBytes)} are of objects whose path is not known any more.`);
  parts.push("", table(bandColumns("CAME"), bands("ages", ageText)));
  parts.push("", table(bandColumns("USED"), bands("uses", usesText)));
  parts.push("", `Hot objects of the last ${formatDuration(hotWindowMs)}:`);
  if (hot.length === 0) parts.push("none: nothing was read");
  else {
    parts.push(
      table(
        [{ title: "PATH" }, { title: "READS", right: true }, { title: "BYTES", right: true }],
        hot.slice(0, HOT).map(({ path, requests, bytes }) => [path, String(requests), formatBytes(bytes)]),
      ),
    );
  }
  return parts.join("\n");
}

function renderCurve(curve: MissRatioCurve, nowMs: number): string {
  const { requests, hitRatio, points, changes, workingSets, sampleRate, tiers } = curve;
  const size = tiers.map(({ name, limitBytes }) => `${formatBytes(limitBytes)} ${name}`).join(", ");
  const lines = [
    curve.advice ??
      `Too little was read to say what another size would do: ${count(requests, "page request")} in ${formatDuration(nowMs - curve.sinceMs)}.`,
    "",
    `An LRU cache of today's size (${size}) hits ${percent(hitRatio, 1)} of the ${requests} page requests of the last ${formatDuration(nowMs - curve.sinceMs)}.`,
    `Sampled: ${sampleRate < 1 ? "at least " : ""}${percent(sampleRate, 1)} of the pages.`,
    "",
    table(
      [
        { title: "SIZE", right: true },
        { title: "BYTES", right: true },
        { title: "HIT RATE", right: true },
        { title: "" },
      ],
      points
        .filter(({ scale }) => Number.isInteger(Math.log2(scale)))
        .map(({ scale, bytes, hitRatio: ratio }) => [
          scale < 1 ? `1/${Math.round(1 / scale)}` : `${scale}x`,
          formatBytes(bytes),
          percent(ratio, 1),
          `${"#".repeat(Math.round(ratio * BAR))}${scale === 1 ? "  now" : ""}`,
        ]),
    ),
    "",
    table(
      [{ title: "TIER" }, { title: "SIZE" }, { title: "BYTES", right: true }, { title: "HIT RATE", right: true }],
      changes.map(({ tier, factor, bytes, hitRatio: ratio }) => [
        tier,
        factor < 1 ? "half" : `${factor} times`,
        formatBytes(bytes),
        percent(ratio, 1),
      ]),
    ),
    "",
    ...workingSets.map(
      ({ windowMs, bytes }) => `Working set of the last ${formatDuration(windowMs)}: ${formatBytes(bytes)}.`,
    ),
  ];
  return lines.join("\n");
}

async function printCurve(client: RinglightClient, options: CacheOptions): Promise<void> {
  const curve = await client.missRatioCurve();
  print(options.json, curveShape(curve), () => renderCurve(curve, Date.now()));
  if (!options.json) answeredNote(curve);
}

/** Runs the command. @throws RL_BAD_REQUEST for a depth out of 1 to 4 */
export async function cache(prefix: string, options: CacheOptions): Promise<void> {
  await withClient(options, async (client) => {
    if (options.mrc) return printCurve(client, options);
    const contents = await client.contents(prefix, Number(options.depth ?? 1));
    print(options.json, shape(contents), () => render(prefix, contents));
    if (!options.json) answeredNote(contents);
  });
}

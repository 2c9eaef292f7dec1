/** `bench import`, `bench replay` and `bench simulate`. */
import { parseArgs } from "node:util";
import { formatBytes, RinglightError } from "@ringlight/core";
import { EVICTION_POLICY_NAMES, type EvictionPolicyName } from "@ringlight/store";
import { pageTraces } from "@ringlight/store/simulation";
import { putObjects } from "../datasets.ts";
import { plainTable } from "../results/text-report.ts";
import { runWorkload } from "../run-workload.ts";
import { type ColumnMapping, type Imported, importTrace, parseMapping } from "../traces/import-trace.ts";
import { curveSizes, type PageRequests, pageRequests, recommended, simulateCache } from "../traces/simulate.ts";
import { bytes, number, RUN_OPTIONS, sideOf, sidesOf, wholeNumber } from "./arguments.ts";
import { commonOptions, report } from "./run.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);
/** Size of objects that a trace tells no size of. */
const UNKNOWN_BYTES = 128 * 1024;

const FORMAT_OPTIONS = {
  format: { type: "string", default: "auto" },
  map: { type: "string" },
  separator: { type: "string", default: "," },
  header: { type: "boolean", default: false },
  limit: { type: "string" },
  strip: { type: "string" },
} as const;

interface FormatValues {
  readonly format: string;
  readonly map?: string | undefined;
  readonly separator: string;
  readonly header: boolean;
  readonly limit?: string | undefined;
  readonly strip?: string | undefined;
}

function formatOf({ format, map, separator, header }: FormatValues): string | ColumnMapping {
  if (map === undefined) return format;
  if (separator !== "," && separator !== " " && separator !== "jsonl") {
    throw new RinglightError("RL_BAD_REQUEST", `--separator is "${separator}"; a comma, a space and jsonl are known`);
  }
  return parseMapping(map, separator, header);
}

async function traceOf(file: string | undefined, values: FormatValues): Promise<Imported> {
  if (file === undefined) throw new RinglightError("RL_BAD_REQUEST", "which trace? Give its file");
  return await importTrace(file, formatOf(values), wholeNumber("limit", values.limit), values.strip);
}

function about({ trace, format, skipped, damaged }: Imported): string {
  const objects = trace.objects(0);
  const known = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const counts = new Map<string, number>();
  let read = 0;
  for (let row = 0; row < trace.rows; row++) {
    const { op, length } = trace.request(row);
    counts.set(op, (counts.get(op) ?? 0) + 1);
    if (op === "get") read += length || trace.sizeOf(trace.keyId(row));
  }
  const operations = [...counts].map(([op, count]) => `${count} ${op}`).join(", ");
  return (
    `${format}: ${trace.rows} requests (${operations}) of ${trace.clients} clients over ${(trace.durationMs / 1000).toFixed(1)} s, ` +
    `${objects.length} objects of ${formatBytes(known)} together, ${formatBytes(read)} read; ${skipped} rows of other operations and ${damaged.length} damaged ones left out${damaged[0] === undefined ? "" : ` (the first: ${damaged[0]})`}`
  );
}

/** `bench import FILE`: reads a trace, and says what is in it. */
export async function importCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: FORMAT_OPTIONS });
  process.stdout.write(`${about(await traceOf(positionals[0], values))}\n`);
}

/** `bench replay FILE --target URL`. */
export async function replayCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...RUN_OPTIONS, ...FORMAT_OPTIONS, speed: { type: "string", default: "1" } },
  });
  const imported = await traceOf(positionals[0], values);
  say(about(imported));
  if (values.map !== undefined) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      "a replay reads the formats that it knows by name; --map is for import and simulate",
    );
  }
  if (values.prepare !== undefined) {
    const objects = imported.trace.objects(UNKNOWN_BYTES);
    say(`preparing ${objects.length} objects`);
    await putObjects(objects, sideOf(values.prepare, values, false).address, say);
  }
  const speed = values.speed === "max" ? 0 : (number("speed", values.speed.replace(/x$/, "")) ?? 1);
  const trace = {
    file: positionals[0]!,
    format: imported.format,
    speed,
    users: wholeNumber("users", values.users) ?? 16,
    limit: wholeNumber("limit", values.limit),
    strip: values.strip,
  };
  const common = commonOptions(values);
  const rounds = wholeNumber("rounds", values.rounds) ?? 1;
  report(await runWorkload({ ...common, rounds, workload: { trace }, sides: sidesOf(values) }), values.json ?? false);
}

/** `bench simulate FILE`: miss-ratio curves of the eviction policies. */
export async function simulateCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...FORMAT_OPTIONS,
      "page-size": { type: "string", default: "1MiB" },
      sizes: { type: "string" },
      policies: { type: "string" },
      shape: { type: "string" },
      json: { type: "boolean" },
    },
  });
  const pageBytes = bytes(values["page-size"]);
  let pages: PageRequests;
  if (values.shape === undefined) {
    const imported = await traceOf(positionals[0], values);
    say(about(imported));
    pages = pageRequests(imported.trace, pageBytes);
  } else {
    const shapes = pageTraces();
    const shape = shapes.find(({ name }) => name === values.shape);
    if (shape === undefined) {
      const known = shapes.map(({ name }) => `"${name}"`).join(", ");
      throw new RinglightError("RL_BAD_REQUEST", `there is no shape "${values.shape}"; there are ${known}`);
    }
    pages = {
      requests: shape.requests,
      bytes: new Float64Array(shape.pages).fill(pageBytes),
      totalBytes: shape.pages * pageBytes,
    };
  }
  if (pages.requests.length === 0) throw new RinglightError("RL_BAD_REQUEST", "the trace has no reads");
  const sizes = values.sizes?.split(",").map(bytes) ?? curveSizes(pages.totalBytes);
  const policies = (values.policies?.split(",") ?? EVICTION_POLICY_NAMES) as readonly EvictionPolicyName[];
  const unknown = policies.find((policy) => !EVICTION_POLICY_NAMES.includes(policy));
  if (unknown !== undefined) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `there is no policy "${unknown}"; there are ${EVICTION_POLICY_NAMES.join(", ")}`,
    );
  }
  const results = sizes.flatMap((size) => policies.map((policy) => simulateCache(policy, size, pages)));
  if (values.json) {
    process.stdout.write(
      `${JSON.stringify({ pageBytes, pageRequests: pages.requests.length, totalBytes: pages.totalBytes, results }, null, 2)}\n`,
    );
    return;
  }
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const rows = sizes.map((size) => {
    const ofSize = results.filter(({ sizeBytes }) => sizeBytes === size);
    const least = Math.min(...ofSize.map(({ missRatio }) => missRatio));
    return [
      formatBytes(size),
      percent(size / pages.totalBytes),
      ...ofSize.map(({ missRatio }) => `${percent(missRatio)}${missRatio === least ? " *" : ""}`),
    ];
  });
  const speed = Math.min(...results.map(({ requestsPerSecond }) => requestsPerSecond));
  process.stdout.write(
    `misses of ${pages.requests.length} page requests, ${formatBytes(pages.totalBytes)} of pages (* fewest)\n\n` +
      `${plainTable({ head: ["cache", "of all", ...policies], rows })}\n\n`,
  );
  const advice = recommended(results);
  if (advice !== undefined) {
    process.stdout.write(
      `${formatBytes(advice.sizeBytes)} with ${advice.policy} is enough: ${percent(advice.missRatio)} misses, within 1 % of the best of these.\n`,
    );
  }
  process.stdout.write(
    `simulated at ${(speed / 1e6).toFixed(1)} million page requests a second of processor time or more\n`,
  );
}

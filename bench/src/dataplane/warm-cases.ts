/** Warm reads: pages that the worker holds against nginx with sendfile, nginx's slice cache, and Varnish. */
import type { Endpoint, LoadOptions } from "./generator.ts";
import { cpuMicros, type Measured, requestRate } from "./measured.ts";
import { type Reference, startNginx, startVarnish } from "./references.ts";
import { type Door, distinctlySigned, getLine, getLines, signedLine } from "./requests.ts";
import { hasSetting, Ringlight } from "./ringlight.ts";
import { interleave, type Side } from "./rounds.ts";
import { type Bar, differenceRow, figures, type Row, ratioRow, refusedRow } from "./row.ts";
import { OBJECTS, type Stage } from "./stage.ts";
import { wrk } from "./wrk.ts";

const KIB = 1024;

/** Seconds of load on the measured connections before a round is measured. */
const LEAD_SECONDS = 0.3;

/** A warm case: what is asked for. */
interface Shape {
  readonly name: string;
  readonly objects: { readonly prefix: string; readonly count: number; readonly bytes: number };
  readonly rangeBytes?: number;
  readonly connections: number;
  readonly discard: boolean;
  readonly bars: { readonly static: Bar; readonly cache: Bar; readonly pure?: Bar };
}

const bulk = { static: { kind: "at least", value: 0.85, aim: 1 }, cache: { kind: "at least", value: 1 } } as const;
const ranges = {
  static: { kind: "at least", value: 0.7, aim: 1 },
  cache: { kind: "at least", value: 1, aim: 1.5 },
  pure: { kind: "at least", value: 0.5 },
} as const;

const SHAPES: readonly Shape[] = [
  { name: "warm 1 MiB GET, 16 connections", objects: OBJECTS.small, connections: 16, discard: true, bars: bulk },
  { name: "warm 64 MiB GET, 4 connections", objects: OBJECTS.large, connections: 4, discard: true, bars: bulk },
  ...[4, 64].flatMap((kib) =>
    [16, 64].map((connections) => ({
      name: `warm ${kib} KiB range GET, ${connections} connections`,
      objects: OBJECTS.large,
      rangeBytes: kib * KIB,
      connections,
      discard: false,
      bars: ranges,
    })),
  ),
];

/** The servers of the warm cases. */
interface Cast {
  readonly ringlight: Ringlight;
  readonly pure: Ringlight | undefined;
  readonly static: Reference;
  readonly slice: Reference;
  readonly varnish: Reference;
}

/** All warm rows that `wanted` accepts by name. */
export async function warmCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  const shapes = SHAPES.filter(({ name }) => wanted(name));
  const latency = wanted(LATENCY);
  const signed = wanted(SIGNED);
  const yardstick = wanted(YARDSTICK);
  if (shapes.length === 0 && !latency && !signed && !yardstick) return [];
  const staticServer = await startNginx(stage, "nginx-static.conf");
  const cast: Cast = {
    static: staticServer,
    slice: await startNginx(stage, "nginx-slice.conf", { values: { STORE: staticServer.port } }),
    varnish: await startVarnish(stage, staticServer.port),
    ringlight: await mounted(stage, staticServer.port, []),
    pure: hasSetting("--sendfile") ? await mounted(stage, staticServer.port, ["--sendfile=off"]) : undefined,
  };
  await fill(stage, cast);
  const rows: Row[] = [];
  if (yardstick) rows.push(...(await stage.rows(YARDSTICK, () => yardstickRows(stage, cast.static))));
  for (const shape of shapes) {
    rows.push(...(await stage.rows(shape.name, () => warmRows(stage, cast, shape))));
  }
  if (latency) rows.push(...(await stage.rows(LATENCY, () => latencyRows(stage, cast))));
  if (signed) rows.push(...(await stage.rows(SIGNED, () => signatureRows(stage, cast))));
  for (const ringlight of [cast.ringlight, cast.pure]) await ringlight?.stop();
  for (const { process } of [cast.varnish, cast.slice, cast.static]) await process.stop();
  return rows;
}

/** Name of the case that compares the generators. */
const YARDSTICK = "generator: ours against wrk, nginx static, 4 KiB range GET, 16 connections";

/** What the generators draw from the same server: ours must not be the slower one. */
async function yardstickRows(stage: Stage, server: Reference): Promise<Row[]> {
  const objectBytes = OBJECTS.large.bytes;
  const [line = ""] = getLines({ port: server.port }, OBJECTS.large);
  const endpoint = { port: server.port, targets: stage.generator.targets([line]) };
  const shape = { objects: OBJECTS.large, rangeBytes: 4 * KIB, connections: 16, discard: false };
  const taken = await interleave(
    {
      ours: (round) =>
        stage.generator.load({ endpoints: [endpoint], ...warmLoad(stage, shape, server.pids, round + 1) }),
      wrk: () =>
        wrk({
          url: `http://127.0.0.1:${server.port}${line.slice("GET ".length)}`,
          connections: shape.connections,
          seconds: stage.effort.seconds,
          rangeBytes: shape.rangeBytes,
          objectBytes,
          pids: server.pids,
        }),
    },
    Math.min(3, stage.effort.rounds),
  );
  return [ratioRow({ case: YARDSTICK, reference: "wrk", ours: taken.ours, theirs: taken.wrk })];
}

async function mounted(stage: Stage, storePort: number, flags: readonly string[]): Promise<Ringlight> {
  const ringlight = await Ringlight.start(stage, { flags });
  await ringlight.mount({ endpoint: `http://127.0.0.1:${storePort}` });
  return ringlight;
}

/** Reads everything once through every cache, and again, for those that keep what is asked for twice. */
async function fill(stage: Stage, cast: Cast): Promise<void> {
  stage.progress("filling the caches");
  for (const objects of [OBJECTS.small, OBJECTS.large]) {
    for (const side of await doors(cast)) {
      for (let pass = 0; pass < 2; pass++) {
        await stage.generator.load({
          endpoints: [{ port: side.port, targets: stage.generator.targets(getLines(side, objects)) }],
          connections: 2,
          seconds: 120,
          order: "once",
          requests: objects.count,
          discard: true,
        });
      }
    }
  }
}

async function doors(cast: Cast): Promise<Door[]> {
  const ours = await Promise.all([cast.ringlight, cast.pure].map((ringlight) => ringlight?.door("m1/0")));
  const theirs = [cast.static, cast.slice, cast.varnish].map(({ port }) => ({ port }));
  return [...ours.filter((door) => door !== undefined), ...theirs];
}

/** What a warm side asks: the same of every server. */
function warmLoad(stage: Stage, shape: Omit<Shape, "bars" | "name">, pids: readonly number[], seed: number) {
  const { rounds: _, seconds } = stage.effort;
  return {
    connections: shape.connections,
    seconds,
    warmSeconds: LEAD_SECONDS,
    discard: shape.discard,
    pids,
    seed,
    ...(shape.rangeBytes !== undefined && { range: { bytes: shape.rangeBytes, objectBytes: shape.objects.bytes } }),
  } satisfies Omit<LoadOptions, "endpoints">;
}

function side(stage: Stage, shape: Shape, endpoint: Endpoint, pids: readonly number[]): Side {
  return (round) => stage.generator.load({ endpoints: [endpoint], ...warmLoad(stage, shape, pids, round + 1) });
}

async function warmRows(stage: Stage, cast: Cast, shape: Shape): Promise<Row[]> {
  const endpoint = (door: Door) => ({
    port: door.port,
    targets: stage.generator.targets(getLines(door, shape.objects)),
  });
  const door = await cast.ringlight.door("m1/0");
  const sides: Record<string, Side> = {
    ringlight: side(stage, shape, endpoint(door), cast.ringlight.pids()),
    static: side(stage, shape, endpoint({ port: cast.static.port }), cast.static.pids),
    slice: side(stage, shape, endpoint({ port: cast.slice.port }), cast.slice.pids),
    varnish: side(stage, shape, endpoint({ port: cast.varnish.port }), cast.varnish.pids),
  };
  if (cast.pure !== undefined) {
    sides.pure = side(stage, shape, endpoint(await cast.pure.door("m1/0")), cast.pure.pids());
  }
  const taken = await interleave(sides, stage.effort.rounds);
  const of = (name: string): Measured[] => taken[name] ?? [];
  const note = door.credentials === undefined ? {} : { note: "presigned: this worker has no anonymous reads" };
  const row = (reference: string, theirs: string, bar: Bar) =>
    ratioRow({ case: shape.name, reference, ours: of("ringlight"), theirs: of(theirs), bar, ...note });
  const rows = [
    row("nginx static", "static", shape.bars.static),
    row("nginx slice cache", "slice", shape.bars.cache),
    row("Varnish", "varnish", shape.bars.cache),
  ];
  if (cast.pure !== undefined) {
    rows.push(
      ratioRow({
        case: `${shape.name}, pure TypeScript`,
        reference: "nginx static",
        ours: of("pure"),
        theirs: of("static"),
        ...(shape.bars.pure && { bar: shape.bars.pure }),
      }),
    );
  } else if (shape.bars.pure !== undefined) {
    rows.push(
      refusedRow(
        `${shape.name}, pure TypeScript`,
        "nginx static",
        "the worker has one path only: the rows above are it",
        shape.bars.pure,
      ),
    );
  }
  return rows;
}

/** Name of the latency case. */
const LATENCY = "latency of warm 4 KiB GET, open loop";
const LATENCY_CONNECTIONS = 64;

/** Half of the highest rate: of each server's own, and then of nginx's for both. */
async function latencyRows(stage: Stage, cast: Cast): Promise<Row[]> {
  const shape = { objects: OBJECTS.large, rangeBytes: 4 * KIB, connections: LATENCY_CONNECTIONS, discard: false };
  const sides = {
    ringlight: { door: await cast.ringlight.door("m1/0"), pids: cast.ringlight.pids() },
    static: { door: { port: cast.static.port }, pids: cast.static.pids },
  };
  const runner = (name: keyof typeof sides, openRate?: number): Side => {
    const { door, pids } = sides[name];
    const endpoint = { port: door.port, targets: stage.generator.targets(getLines(door, shape.objects)) };
    return (round) =>
      stage.generator.load({
        endpoints: [endpoint],
        ...warmLoad(stage, shape, pids, round + 1),
        ...(openRate !== undefined && { openRate }),
      });
  };
  const highest = await interleave({ ringlight: runner("ringlight"), static: runner("static") }, 2);
  const ceiling = {
    ringlight: Math.min(...highest.ringlight.map(requestRate)),
    static: Math.min(...highest.static.map(requestRate)),
  };
  const bar: Bar = { kind: "at most", value: 1.5 };
  const rows: Row[] = [];
  const measure = async (words: string, rates: { ringlight: number; static: number }, held: boolean) => {
    const taken = await interleave(
      { ringlight: runner("ringlight", rates.ringlight), static: runner("static", rates.static) },
      stage.effort.rounds,
    );
    const note = `asked ${Math.round(rates.ringlight)} times a second, nginx ${Math.round(rates.static)}`;
    for (const [percentile, figure] of [
      ["p50", ({ p50Us }: Measured) => p50Us],
      ["p99", ({ p99Us }: Measured) => p99Us],
    ] as const) {
      rows.push(
        ratioRow({
          case: `${LATENCY}, ${words}, ${percentile}`,
          reference: "nginx static",
          ours: taken.ringlight,
          theirs: taken.static,
          figure,
          ...(held && { bar }),
          note,
        }),
      );
    }
  };
  const shared = Math.min(ceiling.ringlight, ceiling.static) / 2;
  await measure("both at half of the slower one's highest rate", { ringlight: shared, static: shared }, true);
  await measure(
    "each at half of its own highest rate",
    { ringlight: ceiling.ringlight / 2, static: ceiling.static / 2 },
    true,
  );
  return rows;
}

/** Name of the signature case. */
const SIGNED = "Signature V4 beside anonymous, warm 4 KiB GET, 16 connections";
/** Distinct signatures a round; the round ends with them. */
const SIGNATURES = 40_000;

async function signatureRows(stage: Stage, cast: Cast): Promise<Row[]> {
  const bar: Bar = { kind: "at most", value: 8 };
  const { worker } = cast.ringlight;
  const door = { port: worker.s3Port, credentials: worker.credentials };
  const anonymous = await cast.ringlight.door("m1/0");
  const keys = Array.from({ length: OBJECTS.large.count }, (_, index) => `${OBJECTS.large.prefix}${index}`);
  const pids = cast.ringlight.pids();
  const shape = { objects: OBJECTS.large, rangeBytes: 4 * KIB, connections: 16, discard: false };
  const load = (lines: readonly string[]): Side => {
    const endpoint = { port: worker.s3Port, targets: stage.generator.targets(lines) };
    return (round) => stage.generator.load({ endpoints: [endpoint], ...warmLoad(stage, shape, pids, round + 1) });
  };
  const distinct: Side = (round) => {
    const lines = distinctlySigned(door, {
      keys,
      bytes: 4 * KIB,
      objectBytes: OBJECTS.large.bytes,
      count: SIGNATURES,
      salt: round,
    });
    return stage.generator.load({
      endpoints: [{ port: worker.s3Port, targets: stage.generator.targets(lines) }],
      connections: shape.connections,
      seconds: 60,
      order: "once",
      pids,
    });
  };
  const sides: Record<string, Side> = {
    distinct,
    repeated: load([signedLine(door, "GET", keys[0] ?? "")]),
    presigned: load([getLine(door, keys[0] ?? "")]),
    ...(anonymous.credentials === undefined && { anonymous: load(keys.map((key) => getLine(anonymous, key))) }),
  };
  const taken = await interleave(sides, stage.effort.rounds);
  const names = [
    ["distinct", "each request signed anew"],
    ["repeated", "one signature by header, repeated"],
    ["presigned", "one presigned URL, repeated"],
  ] as const;
  return names.map(([name, words]) => {
    const ours = taken[name] ?? [];
    const theirs = taken.anonymous;
    const title = `${SIGNED}: ${words}`;
    const held = name === "distinct" ? { bar } : {};
    if (theirs === undefined) {
      return {
        ...refusedRow(title, "anonymous", "this worker has no anonymous reads", held.bar),
        ours: figures(ours),
      };
    }
    return differenceRow({ case: title, reference: "anonymous", ours, theirs, figure: cpuMicros, ...held }, "µs");
  });
}

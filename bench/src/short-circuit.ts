/** Small random reads of one program on the worker's host: past the worker, by common calls, and over HTTP. */
import { runClient } from "./client-process.ts";
import { Ringlight } from "./dataplane/ringlight.ts";
import { interleave } from "./dataplane/rounds.ts";
import { type Row, ratioRow } from "./dataplane/row.ts";
import { BUCKET, OBJECTS, type Stage } from "./dataplane/stage.ts";
import { plainStore } from "./dataplane/stores.ts";

const LEASED = "short-circuit SDK, 4 KiB random";
const INTO = "short-circuit SDK, 4 KiB random, into the caller's memory";
const AWAITED = "short-circuit SDK, 4 KiB random, awaited";
const MANY = "SDK readMany, 4 KiB random";
const REFERENCE = "own HTTP, one program";

/** All rows that `wanted` accepts by name. */
export async function shortCircuitCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  if (![LEASED, INTO, AWAITED, MANY].some(wanted)) return [];
  return [...(await stage.rows("short-circuit", () => smallReads(stage)))].filter((row) => wanted(row.case));
}

async function smallReads(stage: Stage): Promise<Row[]> {
  const store = await plainStore(stage);
  const ringlight = await Ringlight.start(stage, { mem: "1GiB" });
  await ringlight.mount(store.mount);
  const { s3Port, grpcPort } = ringlight.worker;
  const { seconds } = stage.effort;
  const keys = Array.from({ length: OBJECTS.large.count }, (_, index) => `${OBJECTS.large.prefix}${index}`);
  for (const key of keys) await (await fetch(`http://127.0.0.1:${s3Port}/${BUCKET}/${key}`)).arrayBuffer();
  const shape = { s3Port, grpcPort, bucket: BUCKET, keys, objectBytes: OBJECTS.large.bytes, seconds };
  const side = (mode: string) => () =>
    runClient("direct-client-main.ts", { ...shape, mode, warmSeconds: seconds / 2, pids: ringlight.pids() });
  const { lease, into, awaited, many, http } = await interleave(
    {
      lease: side("lease"),
      into: side("lease-into"),
      awaited: side("lease-awaited"),
      many: side("many"),
      http: side("http"),
    },
    stage.effort.rounds,
  );
  const note = "reads a second of one program on one core; CPU is the worker's and the program's";
  const bar = { kind: "at least", value: 20 } as const;
  const against = { reference: REFERENCE, theirs: http, note };
  return [
    ratioRow({ case: LEASED, ours: lease, bar, ...against }),
    ratioRow({ case: INTO, ours: into, bar, ...against }),
    ratioRow({ case: AWAITED, ours: awaited, ...against }),
    ratioRow({ case: MANY, ours: many, ...against }),
  ];
}

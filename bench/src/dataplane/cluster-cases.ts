/** More than one worker: two cores against one, and a read that comes to the wrong door. */
import { connect } from "@ringlight/client";
import { byteRate, type Measured, requestRate, requestsPerCpuSecond } from "./measured.ts";
import { startNginx } from "./references.ts";
import { type Door, getLine } from "./requests.ts";
import { type BenchWorker, Ringlight } from "./ringlight.ts";
import { interleave, type Side } from "./rounds.ts";
import { type Row, ratioRow } from "./row.ts";
import { BUCKET, OBJECTS, type Stage } from "./stage.ts";
import { plainStore } from "./stores.ts";

const KIB = 1024;
const TWO_CORES = "two cores against one, warm 4 KiB GET, 64 connections";
const WRONG_DOOR = "relayed by the wrong worker against the owner";
const BOTH_CORES = "0,1";
const CONNECTIONS = 64;

/** All rows that `wanted` accepts by name. */
export async function clusterCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  const rows: Row[] = [];
  if (wanted(TWO_CORES)) rows.push(...(await stage.rows(TWO_CORES, () => twoCores(stage))));
  if (wanted(WRONG_DOOR)) rows.push(...(await stage.rows(WRONG_DOOR, () => wrongDoor(stage))));
  return rows;
}

/** Keys of the 1 MiB objects that each worker owns. */
async function owned(ringlight: Ringlight): Promise<Map<string, string[]>> {
  const client = await connect({ endpoints: ringlight.workers.map(({ grpcPort }) => `127.0.0.1:${grpcPort}`) });
  const keys = new Map<string, string[]>(ringlight.workers.map(({ id }) => [id, []]));
  try {
    for (let index = 0; index < OBJECTS.small.count; index++) {
      const key = `${OBJECTS.small.prefix}${index}`;
      const { owner } = await client.explain(`/${BUCKET}/${key}`);
      keys.get(owner.workerId)?.push(key);
    }
  } finally {
    await client.close();
  }
  return keys;
}

async function doorOf(ringlight: Ringlight, worker: BenchWorker): Promise<Door> {
  return ringlight.door(`${OBJECTS.small.prefix}0`, { worker });
}

/** One endpoint a worker, with the keys that it owns: what a client does that knows the ring. */
async function ownEndpoints(stage: Stage, ringlight: Ringlight) {
  const keys = await owned(ringlight);
  const endpoints = [];
  for (const worker of ringlight.workers) {
    const door = await doorOf(ringlight, worker);
    const lines = (keys.get(worker.id) ?? []).map((key) => getLine(door, key));
    endpoints.push({ port: worker.s3Port, targets: stage.generator.targets(lines) });
  }
  return endpoints;
}

/**
 * The machine has two cores, and the generator needs a part of them: the wall rate of two workers is what is left to them. So the
 * capacity of the workers is given too: requests a second of their CPU time at saturation, times the cores they may use.
 */
async function twoCores(stage: Stage): Promise<Row[]> {
  const store = await plainStore(stage);
  const clusters = {
    one: await Ringlight.start(stage, { workers: ["0"], mem: "1GiB" }),
    two: await Ringlight.start(stage, { workers: ["0", "1"], mem: "1GiB" }),
  };
  const nginx = { one: await startNginx(stage, "nginx-static.conf", { cores: "0" }) };
  try {
    const sides: Record<string, Side> = {};
    for (const [name, ringlight] of Object.entries(clusters)) {
      await ringlight.mount(store.mount);
      const endpoints = await ownEndpoints(stage, ringlight);
      sides[name] = (round) =>
        stage.generator.load({
          endpoints,
          connections: CONNECTIONS,
          seconds: stage.effort.seconds,
          warmSeconds: 0.5,
          range: { bytes: 4 * KIB, objectBytes: OBJECTS.small.bytes },
          pids: ringlight.pids(),
          seed: round + 1,
          // One worker leaves the other core to the generator; two share what it leaves.
          cores: name === "one" ? "1" : BOTH_CORES,
        });
    }
    const taken = await interleave(sides, stage.effort.rounds);
    const ours = taken.two ?? [];
    const theirs = taken.one ?? [];
    const capacity = (cores: number) => (measured: Measured) => requestsPerCpuSecond(measured) * cores;
    const perCpu = ours.map((measured, index) => {
      const one = theirs[index] ?? measured;
      return capacity(2)(measured) / capacity(1)(one);
    });
    const note =
      "capacity is requests a second of the workers' CPU time at saturation, times their cores; each worker is asked for what it owns";
    const wall = ratioRow({
      case: `${TWO_CORES}, wall clock with the generator on the same two cores`,
      reference: "one worker",
      ours,
      theirs,
      figure: requestRate,
    });
    const sorted = [...perCpu].sort((a, b) => a - b);
    return [
      {
        ...wall,
        case: `${TWO_CORES}, capacity`,
        value: {
          median: sorted[sorted.length >> 1] ?? Number.NaN,
          min: sorted[0] ?? Number.NaN,
          max: sorted.at(-1) ?? Number.NaN,
        },
        bar: { kind: "at least", value: 1.7 },
        note,
      },
      wall,
    ];
  } finally {
    await clusters.one.stop();
    await clusters.two.stop();
    await nginx.one.process.stop();
  }
}

/** Both workers and the generator share all cores on both sides, as the relay needs two processes and the owner one. */
async function wrongDoor(stage: Stage): Promise<Row[]> {
  const store = await plainStore(stage);
  const ringlight = await Ringlight.start(stage, { workers: [undefined, undefined], mem: "1GiB" });
  try {
    await ringlight.mount(store.mount);
    const [entry, owner] = ringlight.workers;
    if (entry === undefined || owner === undefined) return [];
    const keys = (await owned(ringlight)).get(owner.id) ?? [];
    const rows: Row[] = [];
    for (const { name, rangeBytes, connections } of [
      { name: "4 KiB ranges, 16 connections", rangeBytes: 4 * KIB, connections: 16 },
      { name: "1 MiB objects, 8 connections", rangeBytes: undefined, connections: 8 },
    ]) {
      const side = async (worker: BenchWorker): Promise<Side> => {
        const door = await doorOf(ringlight, worker);
        const endpoint = { port: door.port, targets: stage.generator.targets(keys.map((key) => getLine(door, key))) };
        return (round) =>
          stage.generator.load({
            endpoints: [endpoint],
            connections,
            seconds: stage.effort.seconds,
            warmSeconds: 0.3,
            ...(rangeBytes !== undefined && { range: { bytes: rangeBytes, objectBytes: OBJECTS.small.bytes } }),
            discard: rangeBytes === undefined,
            pids: ringlight.pids(),
            seed: round + 1,
            cores: BOTH_CORES,
          });
      };
      const taken = await interleave({ relayed: await side(entry), owner: await side(owner) }, stage.effort.rounds);
      rows.push(
        ratioRow({
          case: `${WRONG_DOOR}, ${name}`,
          reference: "its owner",
          ours: taken.relayed,
          theirs: taken.owner,
          figure: rangeBytes === undefined ? byteRate : requestRate,
          bar: { kind: "at least", value: 0.5 },
        }),
      );
    }
    return rows;
  } finally {
    await ringlight.stop();
  }
}

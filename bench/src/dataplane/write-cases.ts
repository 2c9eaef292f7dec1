/** Writes: PUT through a worker against PUT straight to the store. A worker acknowledges only what the store has. */
import { type Credentials, signRequest } from "@ringlight/sigv4";
import { signedLine } from "./requests.ts";
import { Ringlight } from "./ringlight.ts";
import { interleave, type Side } from "./rounds.ts";
import { type Bar, type Row, ratioRow, refusedRow } from "./row.ts";
import type { Stage } from "./stage.ts";
import { makeBucket, radosStore } from "./stores.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const BUCKET = "bench-writes";
const BAR: Bar = { kind: "at least", value: 0.8 };
/** `lead` is the rounds before the measured ones: code must be compiled, as it is in a worker that has run for a minute. */
const CASES = [
  { name: "PUT of 100 KiB objects, 64 connections", bytes: 100 * KIB, connections: 64, count: 600, lead: 24 },
  { name: "PUT of 1 MiB objects, 8 connections", bytes: MIB, connections: 8, count: 60, lead: 2 },
  { name: "PUT of 64 MiB objects, 1 connection", bytes: 64 * MIB, connections: 1, count: 2, lead: 2 },
];
/** Names that are written again in each round, so that the store does not fill. */
const REFERENCE = "radosgw, direct";

/** All rows that `wanted` accepts by name. */
export async function writeCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  const cases = CASES.filter(({ name }) => wanted(name));
  if (cases.length === 0) return [];
  const store = await radosStore(stage, { rounds: 0, perRound: 1 });
  if (store?.credentials === undefined) {
    return cases.map(({ name }) => refusedRow(name, REFERENCE, "Ceph is not installed: apt-get install radosgw", BAR));
  }
  await makeBucket(store.port, store.credentials, BUCKET);
  const ringlight = await Ringlight.start(stage, { workers: [undefined], env: store.env });
  try {
    await ringlight.mount({ ...store.mount, name: BUCKET, bucket: BUCKET, writable: true });
    const { s3Port, credentials } = ringlight.worker;
    const refused = await refusal(s3Port, credentials);
    if (refused !== undefined) return cases.map(({ name }) => refusedRow(name, REFERENCE, refused, BAR));
    const rows: Row[] = [];
    for (const { name, bytes, connections, count, lead } of cases) {
      const side = (port: number, as: Credentials, pids: readonly number[]): Side => {
        const door = { port, credentials: as, bucket: BUCKET };
        const prefix = port === s3Port ? "through" : "direct";
        const lines = () =>
          Array.from({ length: count }, (_, index) => signedLine(door, "PUT", `${prefix}/${bytes}/${index}`));
        return () =>
          stage.generator.load({
            endpoints: [{ port, targets: stage.generator.targets(lines()) }],
            connections,
            seconds: 60,
            order: "once",
            bodyBytes: bytes,
            pids,
            cores: "0,1",
          });
      };
      rows.push(
        ...(await stage.rows(name, async () => {
          const sides = {
            ringlight: side(s3Port, credentials, [...ringlight.pids(), ...store.pids]),
            direct: side(store.port, store.credentials ?? credentials, store.pids),
          };
          for (let round = 0; round < lead; round++) {
            await sides.ringlight(round);
            await sides.direct(round);
          }
          const taken = await interleave(sides, stage.effort.rounds);
          return [
            ratioRow({ case: name, reference: REFERENCE, ours: taken.ringlight, theirs: taken.direct, bar: BAR }),
          ];
        })),
      );
    }
    return rows;
  } finally {
    await ringlight.stop();
  }
}

/** What the worker says to a small PUT when it takes none. */
async function refusal(port: number, credentials: Credentials): Promise<string | undefined> {
  const url = new URL(`http://127.0.0.1:${port}/${BUCKET}/probe`);
  const { host: _, ...headers } = signRequest(
    { method: "PUT", url, headers: {} },
    { credentials, region: "us-east-1", payloadHash: "UNSIGNED-PAYLOAD" },
  );
  const response = await fetch(url, { method: "PUT", headers, body: "probe" });
  const words = await response.text();
  if (response.ok) return undefined;
  return `refused: the worker answers ${response.status} ${/<Code>(\w+)/.exec(words)?.[1] ?? ""} to a PUT`;
}

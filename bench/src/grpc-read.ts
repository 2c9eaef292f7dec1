/** Streams over gRPC: what the server's side of a gigabyte costs, against grpc-js and protobuf serving the same bytes. */
import { fileURLToPath } from "node:url";
import { waitFor } from "@ringlight/testing";
import { runClient } from "./client-process.ts";
import { cpuSecondsPerGb } from "./dataplane/measured.ts";
import { Ringlight } from "./dataplane/ringlight.ts";
import { interleave } from "./dataplane/rounds.ts";
import { type Row, ratioRow } from "./dataplane/row.ts";
import { BUCKET, OBJECTS, SERVER_CORE, type Stage } from "./dataplane/stage.ts";
import { plainStore } from "./dataplane/stores.ts";

const CASE = "gRPC Read stream, server CPU a GB";
const STREAMS = 2;
const START_MS = 30_000;

/** All rows that `wanted` accepts by name. */
export async function grpcReadCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  return wanted(CASE) ? [...(await stage.rows(CASE, () => readStream(stage)))] : [];
}

async function readStream(stage: Stage): Promise<Row[]> {
  const store = await plainStore(stage);
  const ringlight = await Ringlight.start(stage, { mem: "1GiB" });
  await ringlight.mount(store.mount);
  const paths = Array.from({ length: OBJECTS.large.count }, (_, index) => `/${BUCKET}/${OBJECTS.large.prefix}${index}`);
  const reference = stage.start({
    name: "grpc-js",
    command: process.execPath,
    args: [fileURLToPath(new URL("grpc-reference-main.ts", import.meta.url)), stage.root],
    cores: SERVER_CORE,
  });
  const port = await waitFor(() => Number(/port (\d+)/.exec(reference.output)?.[1] ?? 0), { timeoutMs: START_MS });
  const { seconds } = stage.effort;
  const shape = { paths, streams: STREAMS, seconds, warmSeconds: seconds / 2 };
  const { ours, theirs } = await interleave(
    {
      ours: () =>
        runClient("grpc-client-main.ts", { ...shape, port: ringlight.worker.grpcPort, pids: ringlight.pids() }),
      theirs: () => runClient("grpc-client-main.ts", { ...shape, port, pids: reference.pids() }),
    },
    stage.effort.rounds,
  );
  const gbPerCpuSecond = (measured: Parameters<typeof cpuSecondsPerGb>[0]) => 1 / cpuSecondsPerGb(measured);
  const bar = { kind: "at least", value: 4 } as const;
  const note = "the reference copies the same files by grpc-js and protobuf; the client reads plain HTTP/2 frames";
  return [ratioRow({ case: CASE, reference: "grpc-js + protobuf", ours, theirs, figure: gbPerCpuSecond, bar, note })];
}

/**
 * A client that streams objects over gRPC and throws the bytes away: plain HTTP/2 frames, so that it costs a fraction of what
 * a gRPC library does and the server is the limit. Prints one line of JSON.
 */
import { once } from "node:events";
import { connect } from "node:http2";
import { ReadRequest } from "@ringlight/proto";
import { cpuSecondsOf } from "./process-cpu.ts";

const WINDOW_BYTES = 8 * 1024 * 1024;
const { port, paths, streams, seconds, warmSeconds, pids } = JSON.parse(process.argv[2] ?? "{}") as {
  port: number;
  paths: string[];
  streams: number;
  seconds: number;
  warmSeconds: number;
  pids: number[];
};

const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: WINDOW_BYTES } });
await once(session, "connect");
session.setLocalWindowSize(WINDOW_BYTES);

let bytes = 0;
let requests = 0;
let errors = 0;
let bad = "";

async function read(path: string): Promise<void> {
  const message = ReadRequest.encode(ReadRequest.create({ path })).finish();
  const prefix = Buffer.from([0, 0, 0, 0, message.length]);
  const stream = session.request({
    ":method": "POST",
    ":path": "/ringlight.v1.WorkerService/Read",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let status = "";
  const learn = (headers: Record<string, unknown>) => {
    if (headers["grpc-status"] !== undefined) status = `${headers["grpc-status"]} ${headers["grpc-message"] ?? ""}`;
  };
  stream.on("response", learn);
  stream.on("trailers", learn);
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  stream.end(Buffer.concat([prefix, message]));
  await once(stream, "close");
  requests++;
  if (!status.startsWith("0")) {
    errors++;
    bad ||= `grpc-status ${status}`;
  }
}

async function run(forSeconds: number): Promise<number> {
  const startedMs = performance.now();
  const endMs = startedMs + forSeconds * 1000;
  const reader = async (first: number) => {
    for (let at = first; performance.now() < endMs; at++) await read(paths[at % paths.length] ?? "");
  };
  await Promise.all(Array.from({ length: streams }, (_, index) => reader(index)));
  return (performance.now() - startedMs) / 1000;
}

await run(warmSeconds);
bytes = 0;
requests = 0;
const cpuBefore = cpuSecondsOf(pids);
const ownBefore = process.cpuUsage();
const taken = await run(seconds);
const own = process.cpuUsage(ownBefore);
const result = {
  requests,
  bytes,
  seconds: taken,
  errors,
  bad,
  serverCpuSeconds: cpuSecondsOf(pids) - cpuBefore,
  generatorShare: (own.user + own.system) / 1e6 / taken,
};
console.log(JSON.stringify(result));
session.destroy();

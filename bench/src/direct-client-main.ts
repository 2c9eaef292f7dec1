/**
 * One process that reads 4 KiB at random places: by the SDK past the worker, into new memory or its own, by the SDK's calls, or
 * over HTTP. Prints JSON.
 */
import { Agent, request } from "node:http";
import { connect } from "@ringlight/client";
import { cpuSecondsOf } from "./process-cpu.ts";

const BYTES = 4096;
const BATCH = 256;
const HTTP_CONNECTIONS = 16;
const LEASE_MS = 20_000;

const options = JSON.parse(process.argv[2] ?? "{}") as {
  mode: "lease" | "lease-into" | "lease-awaited" | "many" | "http";
  s3Port: number;
  grpcPort: number;
  bucket: string;
  keys: string[];
  objectBytes: number;
  seconds: number;
  warmSeconds: number;
  pids: number[];
};
const { keys, objectBytes, bucket } = options;
const paths = keys.map((key) => `/${bucket}/${key}`);
let seed = 1;

/** Marsaglia's xorshift: Math.random() would be a part of what is measured. */
function random(below: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
}
const anyPath = () => paths[random(paths.length)] ?? "";
const anyOffset = () => random(objectBytes / BYTES) * BYTES;

const client = await connect({
  endpoints: [`127.0.0.1:${options.grpcPort}`],
  shortCircuit: options.mode.startsWith("lease"),
  openFileLimit: 1024,
});
const agent = new Agent({ keepAlive: true, maxSockets: HTTP_CONNECTIONS });

function get(path: string, offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { range: `bytes=${offset}-${offset + BYTES - 1}` };
    const sent = request({ host: "127.0.0.1", port: options.s3Port, path, agent, headers }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("end", () =>
        bytes === BYTES ? resolve() : reject(new Error(`${response.statusCode}: ${bytes} bytes`)),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}

/**
 * Runs until the time is over; the reads that were made. What is not leased any more, as when the freshness of an object has run
 * out, is asked of the worker, as a program would.
 */
const loops: Record<typeof options.mode, (endMs: number) => Promise<number>> = {
  lease: async (endMs) => {
    let reads = 0;
    while (performance.now() < endMs) {
      for (let count = 0; count < 1000; count++, reads++) {
        const path = anyPath();
        const offset = anyOffset();
        if (client.readNow(path, offset, BYTES)?.length !== BYTES) await client.readRange(path, offset, BYTES);
      }
      // Renewals come in between.
      await new Promise(setImmediate);
    }
    return reads;
  },
  "lease-into": async (endMs) => {
    const target = Buffer.alloc(BYTES);
    let reads = 0;
    while (performance.now() < endMs) {
      for (let count = 0; count < 1000; count++, reads++) {
        const path = anyPath();
        const offset = anyOffset();
        if (client.readNowInto(path, offset, target) !== BYTES) await client.readRange(path, offset, BYTES);
      }
      await new Promise(setImmediate);
    }
    return reads;
  },
  "lease-awaited": async (endMs) => {
    let reads = 0;
    while (performance.now() < endMs) {
      for (let count = 0; count < 1000; count++, reads++) await client.readRange(anyPath(), anyOffset(), BYTES);
      await new Promise(setImmediate);
    }
    return reads;
  },
  many: async (endMs) => {
    let reads = 0;
    const reader = async () => {
      for (; performance.now() < endMs; reads += BATCH) {
        const ranges = Array.from({ length: BATCH }, () => ({ path: anyPath(), offset: anyOffset(), length: BYTES }));
        await client.readMany(ranges);
      }
    };
    await Promise.all([reader(), reader(), reader()]);
    return reads;
  },
  http: async (endMs) => {
    let reads = 0;
    const reader = async () => {
      for (; performance.now() < endMs; reads++) await get(anyPath(), anyOffset());
    };
    await Promise.all(Array.from({ length: HTTP_CONNECTIONS }, reader));
    return reads;
  },
};

/** Reads every page until all of them are leased. */
async function lease(): Promise<void> {
  const endMs = performance.now() + LEASE_MS;
  const step = 1024 * 1024;
  for (const path of paths) {
    for (let offset = 0; offset < objectBytes; offset += step) {
      while (client.readNow(path, offset, BYTES) === undefined) {
        if (performance.now() > endMs)
          throw new Error(`${path} is not leased: may this process read the worker's files?`);
        await client.readRange(path, offset, BYTES);
      }
    }
  }
}

if (options.mode.startsWith("lease")) await lease();
const run = loops[options.mode];
await run(performance.now() + options.warmSeconds * 1000);
const cpuBefore = cpuSecondsOf(options.pids);
const ownBefore = process.cpuUsage();
const startedMs = performance.now();
const requests = await run(startedMs + options.seconds * 1000);
const seconds = (performance.now() - startedMs) / 1000;
const own = process.cpuUsage(ownBefore);
const ownSeconds = (own.user + own.system) / 1e6;
const result = {
  requests,
  bytes: requests * BYTES,
  seconds,
  errors: 0,
  bad: "",
  // The reader's own time is a part of the price here: by lease it is all of it.
  serverCpuSeconds: cpuSecondsOf(options.pids) - cpuBefore + ownSeconds,
  generatorShare: ownSeconds / seconds,
};
client.close();
agent.destroy();
console.log(JSON.stringify(result));
process.exit(0);

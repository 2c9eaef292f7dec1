/** A closed-loop generator of GETs: so many connections, each asking for the next thing when it has the last. */
import { Agent, request } from "node:http";

/** One request to send. */
export interface Shot {
  readonly url: URL;
  readonly range?: readonly [start: number, end: number];
  readonly expectBytes: number;
}

/** What a run came to. */
export interface LoadResult {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Time to the last byte of each request, milliseconds, ascending. */
  readonly latenciesMs: readonly number[];
}

/** Sends all shots over `connections` kept-alive connections. @throws Error for any answer but the expected bytes */
export async function closedLoop(shots: readonly Shot[], connections: number): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let next = 0;
  let bytes = 0;
  const startedMs = performance.now();
  const worker = async () => {
    for (let shot = shots[next++]; shot !== undefined; shot = shots[next++]) {
      const at = performance.now();
      const received = await fire(shot, agent);
      bytes += received;
      latencies.push(performance.now() - at);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, worker));
  } finally {
    agent.destroy();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  return { requests: shots.length, bytes, seconds, latenciesMs: latencies.sort((a, b) => a - b) };
}

function fire({ url, range, expectBytes }: Shot, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = range && { range: `bytes=${range[0]}-${range[1]}` };
    const sent = request(url, { agent, ...(headers && { headers }) }, (response) => {
      let received = 0;
      response.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      response.once("end", () => {
        const wanted = range === undefined ? 200 : 206;
        if (response.statusCode === wanted && received === expectBytes) resolve(received);
        else reject(new Error(`${url.pathname}: status ${response.statusCode}, ${received} bytes`));
      });
      response.once("error", reject);
    });
    sent.setTimeout(30_000, () => sent.destroy(new Error(`${url.pathname}: no answer within 30 s`)));
    sent.once("error", reject);
    sent.end();
  });
}

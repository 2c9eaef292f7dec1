/**
 * Sends spans as workers do: `node simulated-spans-main.ts <console's URL> <spans a second>`. Requests of 512 spans, in traces
 * of four, are encoded once; ids and times are written into the bytes before each is sent. Prints a line of JSON a second:
 * what has become of them, and when that was.
 */
import { randomFillSync } from "node:crypto";
import { Agent, request } from "node:http";
import { ExportTraceServiceRequest } from "@ringlight/proto/otlp";

const [url = "", rate = "10000"] = process.argv.slice(2);
const BATCH = 512;
const PER_TRACE = 4;
const BODIES = 8;
const TICK_MS = 25;
const WAITING_LIMIT = 32;

interface Body {
  readonly bytes: Buffer;
  readonly traceIds: readonly (readonly number[])[];
  readonly times: readonly { readonly at: number; readonly offsetNs: bigint }[];
}

const NAMES = ["s3.GetObject", "ringlight.read", "ringlight.pages", "ringlight.ufs.get"];
const REASONS = ["cold", "evicted", "expired", "rebalanced"];

/** Where each value stands in the bytes: it was written as a mark that occurs nowhere else. */
function body(worker: number): Body {
  const marks = Array.from({ length: BATCH / PER_TRACE }, () => randomFillSync(Buffer.alloc(16)));
  const base = 1_700_000_000_000_000_000n;
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const spans = marks.flatMap((traceId, trace) => {
    const ids = Array.from({ length: PER_TRACE }, () => randomFillSync(Buffer.alloc(8)));
    return ids.map((spanId, place) => ({
      traceId,
      spanId,
      parentSpanId: ids[place - 1] ?? Buffer.alloc(0),
      name: NAMES[place]!,
      kind: place === 0 ? (2 as const) : (1 as const),
      startTimeUnixNano: String(base + BigInt((trace * PER_TRACE + place) * 2 + 1) * 1000n),
      endTimeUnixNano: String(base + BigInt((trace * PER_TRACE + place) * 2 + 2) * 1000n),
      attributes: [
        text("ringlight.mount", `mount-${trace % 5}`),
        text("ringlight.outcome", "miss"),
        text("ringlight.miss.reason", REASONS[trace % 4]!),
        text("ringlight.tier", "ufs"),
        text("ringlight.served_by", `sim-${worker}`),
        { key: "ringlight.bytes", value: { intValue: String(trace * 4096 + place) } },
      ],
    }));
  });
  const bytes = Buffer.from(
    ExportTraceServiceRequest.encode(
      ExportTraceServiceRequest.create({
        resourceSpans: [
          {
            resource: {
              attributes: [text("service.name", "ringlight-worker"), text("service.instance.id", `sim-${worker}`)],
            },
            scopeSpans: [{ scope: { name: "ringlight" }, spans }],
          },
        ],
      }),
    ).finish(),
  );
  const traceIds = marks.map((mark) => {
    const places: number[] = [];
    for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 16)) places.push(at);
    return places;
  });
  const mark = Buffer.alloc(8);
  const times = spans.flatMap(({ startTimeUnixNano, endTimeUnixNano }, place) =>
    [startTimeUnixNano, endTimeUnixNano].map((time, end) => {
      mark.writeBigUInt64LE(BigInt(time));
      // A span begins with the one before it and lasts 0.1 to 40 ms.
      const offsetNs = BigInt((place % PER_TRACE) * 100_000 + end * (100_000 + (place % 100) * 400_000));
      return { at: bytes.indexOf(mark), offsetNs };
    }),
  );
  return { bytes, traceIds, times };
}

const bodies = Array.from({ length: BODIES }, (_, worker) => body(worker));
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const target = new URL("/v1/traces", url);
const counts = { sent: 0, refused: 0, failed: 0, skipped: 0 };
/** What the failed requests were answered, or the error that ended them, and how often. */
const failures: Record<string, number> = {};
let waiting = 0;

function fail(why: string): void {
  counts.failed += BATCH;
  failures[why] = (failures[why] ?? 0) + 1;
}

function send({ bytes, traceIds, times }: Body): void {
  if (waiting >= WAITING_LIMIT) {
    counts.skipped += BATCH;
    return;
  }
  const copy = Buffer.from(bytes);
  const id = Buffer.alloc(16);
  for (const places of traceIds) {
    randomFillSync(id);
    for (const place of places) id.copy(copy, place);
  }
  const now = BigInt(Date.now()) * 1_000_000n;
  for (const { at, offsetNs } of times) copy.writeBigUInt64LE(now + offsetNs, at);
  waiting++;
  const headers = { "content-type": "application/x-protobuf", "content-length": copy.length };
  const sent = request(target, { method: "POST", agent, headers }, (response) => {
    response.resume().once("close", () => {
      waiting--;
      if (response.statusCode === 200) counts.sent += BATCH;
      else if (response.statusCode === 429) counts.refused += BATCH;
      else fail(`status ${response.statusCode}`);
    });
  });
  sent.once("error", (error: NodeJS.ErrnoException) => {
    waiting--;
    fail(error.code ?? error.message);
  });
  sent.end(copy);
}

const startedMs = performance.now();
let given = 0;
setInterval(() => {
  const due = ((performance.now() - startedMs) / 1000) * Number(rate);
  for (; given + BATCH <= due; given += BATCH) send(bodies[(given / BATCH) % BODIES]!);
}, TICK_MS);
setInterval(() => process.stdout.write(`${JSON.stringify({ ...counts, failures, atMs: performance.now() })}\n`), 1000);
process.stdin.resume().once("end", () => process.exit(0));

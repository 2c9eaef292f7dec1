/** All metrics of Ringlight, under their OpenTelemetry names. Paths and keys never become labels. */
import type { MetricDefinition } from "./metrics.ts";

const define = <const L extends readonly string[]>(
  kind: MetricDefinition["kind"],
  name: string,
  unit: string,
  labels: L,
  help: string,
): MetricDefinition<L[number]> => ({ name, kind, unit, labels, help });

/** The table. docs/observability.md describes each. */
export const METRICS = {
  cacheRequests: define(
    "counter",
    "ringlight.cache.requests",
    "{request}",
    ["tier", "outcome", "miss_reason", "mount"],
    "Page requests on the owner, by what happened.",
  ),
  cacheIo: define(
    "counter",
    "ringlight.cache.io",
    "By",
    ["tier", "outcome", "miss_reason", "mount"],
    "Bytes of page requests that were handed to readers, by what happened.",
  ),
  cacheUsage: define("gauge", "ringlight.cache.usage", "By", ["tier"], "Bytes in use in a tier."),
  cacheLimit: define("gauge", "ringlight.cache.limit", "By", ["tier"], "Bytes that a tier may use."),
  cachePages: define("gauge", "ringlight.cache.pages", "{page}", ["tier"], "Pages in a tier."),
  cacheEvictions: define(
    "counter",
    "ringlight.cache.evictions",
    "{page}",
    ["tier", "reason"],
    "Pages that left a tier, by reason.",
  ),
  ufsRequestDuration: define(
    "histogram",
    "ringlight.ufs.request.duration",
    "s",
    ["mount", "op", "status"],
    "Duration of requests to the store behind a mount.",
  ),
  ufsIo: define(
    "counter",
    "ringlight.ufs.io",
    "By",
    ["mount", "op", "status"],
    "Bytes read from the store behind a mount.",
  ),
  requestDuration: define(
    "histogram",
    "ringlight.request.duration",
    "s",
    ["api", "status"],
    "Time to the first byte of the answer, by API.",
  ),
  requestIo: define("counter", "ringlight.request.io", "By", ["api", "status"], "Bytes sent to clients, by API."),
  relayIo: define("counter", "ringlight.relay.io", "By", [], "Bytes relayed to clients from other workers."),
  fallbacks: define(
    "counter",
    "ringlight.fallbacks",
    "{read}",
    [],
    "Reads in which a source failed and another took over.",
  ),
  taskUnits: define(
    "counter",
    "ringlight.task.units",
    "{unit}",
    ["op", "outcome"],
    "Objects, or segments of large ones, that jobs had this worker handle, by what became of them.",
  ),
  taskIo: define("counter", "ringlight.task.io", "By", ["op"], "Bytes that jobs had this worker read from stores."),
  ringEpoch: define("gauge", "ringlight.ring.epoch", "{epoch}", [], "Epoch of the ring that this process routes by."),
  telemetrySent: define(
    "counter",
    "ringlight.telemetry.sent",
    "{record}",
    ["signal", "destination"],
    "Spans, log lines and requests of metrics that a receiver took.",
  ),
  telemetryDropped: define(
    "counter",
    "ringlight.telemetry.dropped",
    "{record}",
    ["signal", "destination", "reason"],
    "Spans, log lines and requests of metrics that did not arrive.",
  ),
  cpuTime: define("counter", "process.cpu.time", "s", [], "Processor time of the process, user and system."),
  memoryUsage: define("gauge", "process.memory.usage", "By", [], "Resident memory of the process."),
  heapUsage: define("gauge", "v8js.memory.heap.used", "By", [], "JavaScript heap in use."),
  eventLoopDelayP99: define(
    "gauge",
    "nodejs.eventloop.delay.p99",
    "s",
    [],
    "99th percentile of the event loop's delay over the last 10 to 20 s.",
  ),
} as const;

/**
 * What this process tells others of its work: finished spans, log lines and, where OpenTelemetry's variables name a receiver,
 * metrics. Spans and lines go to the console's receiver by default, and to the receiver of OTEL_EXPORTER_OTLP_* besides.
 *
 * Spans are made after the work is done and only where they are worth it (see keep.ts), with ids that were handed out
 * beforehand (see trace-context.ts). Nobody waits for a receiver, and no receiver can hurt: queues are bounded, and what
 * does not arrive is counted in ringlight.telemetry.dropped.
 */
import { type KeepRules, setKeepRules } from "./keep.ts";
import { setLogSink } from "./log-sink.ts";
import { METRICS } from "./metric-names.ts";
import type { MetricRegistry, Sample } from "./metrics.ts";
import { encodeLogs, encodeSpans } from "./otlp/encode.ts";
import { encodeMetrics } from "./otlp/encode-metrics.ts";
import { type NamedDestination, SignalPipe } from "./otlp/pipe.ts";
import type { LogRecord, RecordedSpan } from "./otlp/records.ts";
import {
  batchSettings,
  type Env,
  isSilenced,
  metricIntervalMs,
  namedDestination,
  resourceOf,
  type Signal,
  samplerOf,
} from "./otlp/settings.ts";
import { setSpanSink } from "./span-sink.ts";
import { setSampler } from "./trace-context.ts";

/** Options of startTelemetry. */
export interface TelemetryOptions {
  /** The process's kind, becomes service.name: "ringlight-worker". */
  readonly service: string;
  /** Which of its kind; becomes service.instance.id. */
  readonly instance: string;
  readonly version: string;
  /** The console whose receiver gets spans and log lines: its URL, and the cluster token. */
  readonly console?: { readonly url: string; readonly token?: string | undefined } | undefined;
  /** Which traces are kept; OTEL_TRACES_SAMPLER goes before the ratio. Left out, the defaults of keep.ts. */
  readonly keep?: Partial<KeepRules> | undefined;
  /** Who is told the names of objects, beside their hash; the console alone if left out. */
  readonly paths?: "console" | "all" | "none" | undefined;
  /** Told of settings that are not honoured, and of receivers that fail and recover. */
  readonly warn?: ((message: string, fields?: Readonly<Record<string, unknown>>) => void) | undefined;
  /** Where OTEL_* variables are looked up; the process's environment if left out. */
  readonly env?: Env | undefined;
  /** Longest time that close() takes, milliseconds; 3000 if left out. */
  readonly closeMs?: number | undefined;
}

/** Telemetry of one process. */
export interface Telemetry {
  /** False where nobody receives spans. */
  readonly enabled: boolean;
  recordSpan(span: RecordedSpan): void;
  /** Adds the counts of what was sent and dropped to a registry, and sends that registry's metrics where a receiver of metrics is named. */
  register(registry: MetricRegistry): void;
  /** Sends what is waiting. */
  flush(): Promise<void>;
  /** Sends what is waiting, within closeMs, and stops. Idempotent. */
  close(): Promise<void>;
}

/** A pipe of whatever it carries. */
type AnyPipe = Pick<SignalPipe<never>, "counts" | "flush" | "abort">;

const CONSOLE_TIMEOUT_MS = 5000;
const CLOSE_MS = 3000;

let current: object | undefined;

/** So long after the start it is no news that nobody listens at a receiver's address, milliseconds. */
const STARTING_MS = 15_000;

/** Starts telemetry: to the console where one is given, to the receivers that OTEL_* variables name, to nobody otherwise. */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const env = options.env ?? process.env;
  const warn = options.warn ?? (() => {});
  const startMs = Date.now();
  const resource = resourceOf(env, {
    "service.namespace": "ringlight",
    "service.name": options.service,
    "service.instance.id": options.instance,
    "service.version": options.version,
    "process.pid": process.pid,
  });
  const destinationsOf = (signal: Signal): NamedDestination[] => {
    if (isSilenced(env, signal)) return [];
    const named = namedDestination(env, signal, warn);
    const own = signal === "metrics" ? undefined : consoleDestination(options, signal);
    return [
      ...(own === undefined || own.url === named?.url ? [] : [own]),
      ...(named === undefined ? [] : [{ ...named, name: "otlp" as const, withPaths: options.paths === "all" }]),
    ];
  };
  const held = new Map<string, NodeJS.Timeout>();
  const onState = (signal: Signal) => (destination: NamedDestination, error: string | undefined) => {
    const fields = { signal, destination: destination.name, url: destination.url };
    const key = `${signal} ${destination.url}`;
    const waiting = held.get(key);
    clearTimeout(waiting);
    held.delete(key);
    const say = () =>
      warn("a receiver of telemetry does not take it; what does not fit is dropped", { ...fields, error });
    const startingMs = startMs + STARTING_MS - Date.now();
    // Processes of a cluster start together, and the console is the last that listens.
    if (error !== undefined && startingMs > 0 && error.includes("ECONNREFUSED")) {
      held.set(key, setTimeout(say, startingMs).unref());
    } else if (error !== undefined) say();
    else if (waiting === undefined) warn("a receiver of telemetry takes it again", fields);
  };
  const pipe = <R>(signal: "traces" | "logs", encode: (records: readonly R[], withPaths: boolean) => Buffer) => {
    const destinations = destinationsOf(signal);
    if (destinations.length === 0) return undefined;
    const batch = batchSettings(env, signal === "traces" ? "BSP" : "BLRP");
    return new SignalPipe<R>({ destinations, batch, encode, onState: onState(signal) });
  };
  const spans = pipe<RecordedSpan>("traces", (records, withPaths) => encodeSpans(resource, records, withPaths));
  const logs = pipe<LogRecord>("logs", (records) => encodeLogs(resource, records));
  const pushed = destinationsOf("metrics");
  const closers: (() => Promise<void>)[] = [];
  const pipes = new Map<Signal, AnyPipe>();
  if (spans) pipes.set("traces", spans);
  if (logs) pipes.set("logs", logs);

  const sampler = samplerOf(env, warn);
  setKeepRules({ ...options.keep, ...(sampler && { ratio: sampler.ratio }) });
  setSampler(
    spans === undefined
      ? undefined
      : { ratio: sampler?.ratio ?? options.keep?.ratio, heedsParent: sampler?.heedsParent ?? true },
  );
  const own = {};
  current = own;
  setSpanSink(spans && ((span) => spans.add(span)));
  setLogSink(logs && ((record) => logs.add(record)));

  let closing: Promise<void> | undefined;
  return {
    enabled: spans !== undefined,
    recordSpan: (span) => spans?.add(span),
    register: (registry) => {
      registerCounts(registry, pipes);
      if (pushed.length === 0) return;
      const metrics = new SignalPipe<MetricRegistry>({
        destinations: pushed,
        batch: { maxQueue: 1, maxBatch: 1, delayMs: 0 },
        encode: ([one = registry]) => encodeMetrics(resource, one, startMs, Date.now()).body,
        onState: onState("metrics"),
      });
      pipes.set("metrics", metrics);
      const timer = setInterval(() => metrics.add(registry), metricIntervalMs(env));
      timer.unref();
      closers.push(async () => {
        clearInterval(timer);
        metrics.add(registry);
        await metrics.close();
      });
    },
    flush: async () => {
      await Promise.all([...pipes.values()].map((one) => one.flush()));
    },
    close: () => {
      closing ??= (async () => {
        if (current === own) {
          current = undefined;
          setSpanSink(undefined);
          setLogSink(undefined);
          setSampler(undefined);
        }
        const all = [spans?.close(), logs?.close(), ...closers.map((close) => close())];
        await bounded(Promise.all(all), options.closeMs ?? CLOSE_MS);
        for (const one of pipes.values()) one.abort();
        for (const timer of held.values()) clearTimeout(timer);
      })();
      return closing;
    },
  };
}

function consoleDestination(
  { console, paths = "console" }: TelemetryOptions,
  signal: "traces" | "logs",
): NamedDestination | undefined {
  if (console === undefined) return undefined;
  return {
    name: "console",
    withPaths: paths !== "none",
    url: `${console.url.replace(/\/+$/, "")}/v1/${signal}`,
    headers: console.token === undefined ? {} : { authorization: `Bearer ${console.token}` },
    timeoutMs: CONSOLE_TIMEOUT_MS,
    gzip: false,
  };
}

function registerCounts(registry: MetricRegistry, pipes: ReadonlyMap<Signal, AnyPipe>): void {
  registry.gauge(METRICS.telemetrySent, () =>
    [...pipes].flatMap(([signal, { counts }]) =>
      counts.map(({ destination, sent }) => ({ labels: { signal, destination }, value: sent })),
    ),
  );
  registry.gauge(METRICS.telemetryDropped, () =>
    [...pipes].flatMap(([signal, { counts }]) =>
      counts.flatMap(({ destination, dropped }) =>
        [...dropped].map(
          ([reason, value]): Sample<"signal" | "destination" | "reason"> => ({
            labels: { signal, destination, reason },
            value,
          }),
        ),
      ),
    ),
  );
}

/** The work, or the end of patience with it. */
async function bounded(work: Promise<unknown>, ms: number): Promise<void> {
  const patience = Promise.withResolvers<void>();
  const timer = setTimeout(patience.resolve, ms);
  await Promise.race([work.catch(() => {}), patience.promise]);
  clearTimeout(timer);
}

/** OpenTelemetry's own OTEL_* variables: where each signal goes, whose it is, and which traces are kept. */
import { readFileSync } from "node:fs";
import type { DestinationOptions } from "./destination.ts";
import type { Attributes } from "./records.ts";

/** The environment. */
export type Env = Readonly<Record<string, string | undefined>>;

/** What is sent. */
export type Signal = "traces" | "logs" | "metrics";

/** How many records wait, how many go at once, and how long they may wait for each other. */
export interface BatchSettings {
  readonly maxQueue: number;
  readonly maxBatch: number;
  readonly delayMs: number;
}

/** Whether a trace that begins here is kept whatever happens to it, and whether a caller's own choice counts. */
export interface Sampler {
  readonly ratio: number;
  readonly heedsParent: boolean;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** True when OTEL_SDK_DISABLED turns everything off. */
function isDisabled(env: Env): boolean {
  return env.OTEL_SDK_DISABLED?.trim().toLowerCase() === "true";
}

/** True when OTEL_<SIGNAL>_EXPORTER says that the signal is sent to nobody. */
export function isSilenced(env: Env, signal: Signal): boolean {
  return isDisabled(env) || env[`OTEL_${signal.toUpperCase()}_EXPORTER`]?.trim() === "none";
}

/** The receiver that OTEL_EXPORTER_OTLP_* names for a signal; undefined where none is named. `warn` hears what is not honoured. */
export function namedDestination(
  env: Env,
  signal: Signal,
  warn: (message: string) => void,
): DestinationOptions | undefined {
  const name = signal.toUpperCase();
  const of = (what: string) =>
    env[`OTEL_EXPORTER_OTLP_${name}_${what}`]?.trim() || env[`OTEL_EXPORTER_OTLP_${what}`]?.trim() || undefined;
  const own = env[`OTEL_EXPORTER_OTLP_${name}_ENDPOINT`]?.trim();
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim();
  const text = own || (base ? `${base.replace(/\/+$/, "")}/v1/${signal}` : undefined);
  if (text === undefined) return undefined;
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    warn(`the OTLP endpoint "${text}" is no http:// or https:// URL; no ${signal} are sent there`);
    return undefined;
  }
  const protocol = of("PROTOCOL");
  if (protocol !== undefined && protocol !== "http/protobuf") {
    warn(`OTLP by ${protocol} is not spoken; ${signal} are sent to ${text} as http/protobuf`);
  }
  const timeoutMs = Number(of("TIMEOUT"));
  const tls = tlsOf(of, warn);
  return {
    url: text,
    headers: pairs(of("HEADERS")),
    timeoutMs: timeoutMs > 0 ? timeoutMs : DEFAULT_TIMEOUT_MS,
    gzip: of("COMPRESSION") === "gzip",
    ...(tls && { tls }),
  };
}

function tlsOf(of: (what: string) => string | undefined, warn: (message: string) => void): DestinationOptions["tls"] {
  const read = (what: string): Buffer | undefined => {
    const file = of(what);
    if (file === undefined) return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      warn(`the OTLP ${what.toLowerCase().replaceAll("_", " ")} ${file} cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  };
  const ca = read("CERTIFICATE");
  const cert = read("CLIENT_CERTIFICATE");
  const key = read("CLIENT_KEY");
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

/** Bounds of a signal's queue: OTEL_BSP_* for spans, OTEL_BLRP_* for logs. */
export function batchSettings(env: Env, prefix: "BSP" | "BLRP"): BatchSettings {
  const number = (what: string, fallback: number) => {
    const value = Number(env[`OTEL_${prefix}_${what}`]);
    return value > 0 ? value : fallback;
  };
  const maxQueue = number("MAX_QUEUE_SIZE", 4096);
  return {
    maxQueue,
    maxBatch: Math.min(maxQueue, number("MAX_EXPORT_BATCH_SIZE", 512)),
    delayMs: number("SCHEDULE_DELAY", 1000),
  };
}

/** OTEL_METRIC_EXPORT_INTERVAL, milliseconds. */
export function metricIntervalMs(env: Env): number {
  const value = Number(env.OTEL_METRIC_EXPORT_INTERVAL);
  return value > 0 ? value : 60_000;
}

/** Who sends: what the process says of itself, overridden by OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. */
export function resourceOf(env: Env, own: Attributes): Attributes {
  const name = env.OTEL_SERVICE_NAME?.trim();
  return { ...own, ...pairs(env.OTEL_RESOURCE_ATTRIBUTES), ...(name && { "service.name": name }) };
}

/** OTEL_TRACES_SAMPLER and its argument; undefined where they are not set or not known. */
export function samplerOf(env: Env, warn: (message: string) => void): Sampler | undefined {
  const name = env.OTEL_TRACES_SAMPLER?.trim();
  if (!name) return undefined;
  const heedsParent = name.startsWith("parentbased_");
  const argument = Number(env.OTEL_TRACES_SAMPLER_ARG?.trim() || 1);
  const ratios: Readonly<Record<string, number>> = { always_on: 1, always_off: 0, traceidratio: argument };
  const ratio = ratios[name.replace(/^parentbased_/, "")];
  if (ratio !== undefined && ratio >= 0 && ratio <= 1) return { ratio, heedsParent };
  warn(`OTEL_TRACES_SAMPLER=${name} with the argument "${env.OTEL_TRACES_SAMPLER_ARG ?? ""}" is not understood`);
  return undefined;
}

/** key=value,key=value with percent-encoding, as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS have it. */
function pairs(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const pair of (text ?? "").split(",")) {
    const equals = pair.indexOf("=");
    if (equals <= 0) continue;
    const value = pair.slice(equals + 1).trim();
    try {
      found[pair.slice(0, equals).trim()] = decodeURIComponent(value);
    } catch {
      found[pair.slice(0, equals).trim()] = value;
    }
  }
  return found;
}

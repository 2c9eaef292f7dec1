/** Reads what the telemetry routes are asked for from their URLs. */
import { parseDuration, RinglightError } from "@ringlight/core";
import type { LogLevelName, LogQuery, MetricFunction, MetricQuery, TraceQuery } from "@ringlight/trace-store";
import { parseMoment } from "@ringlight/ui/time-range";
import type { CompareMeasure } from "../wire-telemetry.ts";
import { COMPARE_MEASURES } from "./compare-window.ts";

const bad = (message: string) => new RinglightError("RL_BAD_REQUEST", message);

const text = (params: URLSearchParams, name: string) => params.get(name)?.trim() || undefined;

/** Leaves out what is undefined. */
function given<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function oneOf<T extends string>(params: URLSearchParams, name: string, allowed: readonly T[]): T | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw bad(`${name}=${value}: it is one of ${allowed.join(", ")}`);
  return found;
}

function count(params: URLSearchParams, name: string): number | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,16}$/.test(value)) throw bad(`${name}=${value} is not a whole number`);
  return Number(value);
}

const durationOf = (params: URLSearchParams, name: string) => {
  const value = text(params, name);
  return value === undefined ? undefined : parseDuration(value);
};

/** A moment: milliseconds since the epoch, `now-1h`, or a date. */
export function moment(params: URLSearchParams, name: "from" | "to", nowMs: number): number | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  const found = parseMoment(value, nowMs, name);
  if (found === undefined) throw bad(`${name}=${value} is no moment; write now, now-1h, a date or milliseconds`);
  return found;
}

/** Both ends of a window that must be given. */
function window(params: URLSearchParams, nowMs: number): { readonly fromMs: number; readonly toMs: number } {
  const fromMs = moment(params, "from", nowMs);
  const toMs = moment(params, "to", nowMs) ?? nowMs;
  if (fromMs === undefined) throw bad("from is missing; write for example from=now-1h");
  if (fromMs >= toMs) throw bad("from must be before to");
  return { fromMs, toMs };
}

/** `key=value`, split at the first sign: keys have none in them. */
function pair(value: string, name: string): { readonly key: string; readonly value: string } {
  const at = value.indexOf("=");
  if (at <= 0) throw bad(`${name}=${value}: write ${name}=key=value`);
  return { key: value.slice(0, at), value: value.slice(at + 1) };
}

/** A trace search. @throws RL_BAD_REQUEST */
export function traceQuery(params: URLSearchParams, nowMs: number): TraceQuery {
  const error = oneOf(params, "error", ["true", "false"]);
  const attributes = params.getAll("attr").filter(Boolean);
  return given<TraceQuery>({
    service: text(params, "service"),
    instance: text(params, "instance"),
    name: text(params, "name"),
    minDurationMs: durationOf(params, "min"),
    maxDurationMs: durationOf(params, "max"),
    attributes: attributes.length > 0 ? attributes.map((value) => pair(value, "attr")) : undefined,
    jobId: text(params, "job"),
    pathHash: text(params, "path"),
    mount: text(params, "mount"),
    outcome: text(params, "outcome"),
    missReason: text(params, "reason"),
    error: error === undefined ? undefined : error === "true",
    class: oneOf(params, "class", ["recent", "kept"]),
    fromMs: moment(params, "from", nowMs),
    toMs: moment(params, "to", nowMs),
    cursor: text(params, "cursor"),
    limit: count(params, "limit"),
  });
}

/** A log query. @throws RL_BAD_REQUEST */
export function logQuery(params: URLSearchParams, nowMs: number): LogQuery {
  const levels: readonly LogLevelName[] = ["trace", "debug", "info", "warn", "error", "fatal"];
  const trace = text(params, "trace");
  return given<LogQuery>({
    service: text(params, "service"),
    instance: text(params, "instance"),
    level: oneOf(params, "level", levels),
    text: text(params, "text"),
    traceId: trace === undefined ? undefined : traceIdOf(trace),
    fromMs: moment(params, "from", nowMs),
    toMs: moment(params, "to", nowMs),
    beforeId: count(params, "before"),
    limit: count(params, "limit"),
  });
}

/** A metric query. @throws RL_BAD_REQUEST */
export function metricQuery(params: URLSearchParams, nowMs: number): MetricQuery {
  const metric = text(params, "metric");
  if (metric === undefined) throw bad("metric is missing; /api/metrics/names lists them");
  const functions: readonly MetricFunction[] = ["rate", "increase", "sum", "avg", "min", "max", "quantile"];
  const quantiles = text(params, "q")?.split(",").map(Number);
  if (quantiles?.some((quantile) => !(quantile >= 0 && quantile <= 1)))
    throw bad("q is a comma list of numbers from 0 to 1");
  const filter: Record<string, string[]> = {};
  for (const { key, value } of params
    .getAll("filter")
    .filter(Boolean)
    .map((one) => pair(one, "filter"))) {
    filter[key] = [...(filter[key] ?? []), value];
  }
  return {
    metric,
    ...window(params, nowMs),
    ...given<Partial<MetricQuery>>({
      fn: oneOf(params, "fn", functions),
      quantiles,
      filter: Object.keys(filter).length > 0 ? filter : undefined,
      groupBy: text(params, "by")?.split(","),
      stepMs: durationOf(params, "step"),
    }),
  };
}

/** A trace's id as it is stored. @throws RL_BAD_REQUEST */
export function traceIdOf(value: string): string {
  const id = value.trim().toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(id)) throw bad(`${value} is no trace id: it has 32 hex digits`);
  return id;
}

/** Which windows to compare, by what. @throws RL_BAD_REQUEST */
export function compareQuery(
  params: URLSearchParams,
  nowMs: number,
): { readonly measure: CompareMeasure; readonly fromMs: number; readonly toMs: number } {
  return { measure: oneOf(params, "measure", COMPARE_MEASURES) ?? "misses", ...window(params, nowMs) };
}

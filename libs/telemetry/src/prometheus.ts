/** Metrics as Prometheus reads them: text format 0.0.4, or OpenMetrics 1.0 with exemplars. */
import {
  type Exemplar,
  Histogram,
  type HistogramSeries,
  type Labels,
  type MetricDefinition,
  type MetricRegistry,
} from "./metrics.ts";

/** Content-Type of the two formats. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
/** Content-Type of OpenMetrics. */
export const OPENMETRICS_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** True when an Accept header asks for OpenMetrics. */
export function acceptsOpenMetrics(accept: string | undefined): boolean {
  return accept?.includes("application/openmetrics-text") ?? false;
}

/** Options of renderPrometheus. */
export interface PrometheusOptions {
  readonly openMetrics?: boolean;
}

/** Suffix that a UCUM unit gives a name; what stands in braces gives none. */
const UNIT_SUFFIX: Readonly<Record<string, string>> = { By: "bytes", s: "seconds", "1": "ratio" };

/** Name of a metric's family: dots become underscores and the unit is the suffix; without `_total`. */
export function prometheusName(definition: MetricDefinition): string {
  const base = definition.name.replace(/[^A-Za-z0-9_:]/g, "_");
  const suffix = UNIT_SUFFIX[definition.unit];
  return suffix === undefined || base.endsWith(`_${suffix}`) ? base : `${base}_${suffix}`;
}

/** The metrics of a registry as text. */
export function renderPrometheus(registry: MetricRegistry, { openMetrics = false }: PrometheusOptions = {}): string {
  const lines: string[] = [];
  for (const metric of registry.metrics()) {
    const { definition } = metric;
    const family = prometheusName(definition);
    const sample = definition.kind === "counter" ? `${family}_total` : family;
    const heading = openMetrics ? family : sample;
    lines.push(`# HELP ${heading} ${escapeHelp(definition.help, openMetrics)}`, `# TYPE ${heading} ${definition.kind}`);
    if (openMetrics && UNIT_SUFFIX[definition.unit]) lines.push(`# UNIT ${family} ${UNIT_SUFFIX[definition.unit]}`);
    if (metric instanceof Histogram) {
      for (const series of metric.series()) renderHistogram(lines, family, series, openMetrics);
    } else {
      for (const { labels, value } of metric.series()) lines.push(`${sample}${labelText(labels)} ${numberText(value)}`);
    }
  }
  if (openMetrics) lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function renderHistogram(lines: string[], family: string, series: HistogramSeries, openMetrics: boolean): void {
  let total = 0;
  for (let bucket = 0; bucket < series.counts.length; bucket++) {
    total += series.counts[bucket]!;
    const bound = series.bounds[bucket];
    const le = bound === undefined ? "+Inf" : openMetrics ? openMetricsNumber(bound) : numberText(bound);
    const exemplar = openMetrics ? exemplarText(series.exemplar(bucket)) : "";
    lines.push(`${family}_bucket${labelText({ ...series.labels, le })} ${total}${exemplar}`);
  }
  lines.push(`${family}_sum${labelText(series.labels)} ${numberText(series.sum)}`);
  lines.push(`${family}_count${labelText(series.labels)} ${total}`);
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  return ` # ${labelText({ trace_id: exemplar.traceId })} ${numberText(exemplar.value)} ${(exemplar.atMs / 1000).toFixed(3)}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(help: string, openMetrics: boolean): string {
  const text = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return openMetrics ? text.replaceAll('"', '\\"') : text;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

/** OpenMetrics writes bounds with a point: 1 is "1.0". */
function openMetricsNumber(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

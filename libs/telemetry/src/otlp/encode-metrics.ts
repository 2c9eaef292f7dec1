/** An export request for /v1/metrics, with exemplars, from the registry's numbers. Field numbers: metrics.proto. */
import { type Exemplar, Histogram, type HistogramSeries, type Metric, type MetricRegistry } from "../metrics.ts";
import { scoped, writeAttributes } from "./encode.ts";
import { ProtoWriter } from "./proto-writer.ts";
import type { Attributes } from "./records.ts";

const CUMULATIVE = 2;

/** Everything that a registry holds now, cumulative since `startMs`. */
export function encodeMetrics(
  resource: Attributes,
  registry: MetricRegistry,
  startMs: number,
  nowMs: number,
): { readonly body: Buffer; readonly points: number } {
  const writer = new ProtoWriter();
  let points = 0;
  scoped(writer, resource, () => {
    for (const metric of registry.metrics()) {
      writer.message(2, () => {
        points += writeMetric(writer, metric, startMs, nowMs);
      });
    }
  });
  return { body: writer.finish(), points };
}

function writeMetric(writer: ProtoWriter, metric: Metric, startMs: number, nowMs: number): number {
  const { name, help, unit, kind } = metric.definition;
  writer.string(1, name);
  writer.string(2, help);
  writer.string(3, unit);
  let points = 0;
  if (metric instanceof Histogram) {
    writer.message(9, () => {
      for (const series of metric.series()) {
        points++;
        writer.message(1, () => writeHistogram(writer, series, startMs, nowMs));
      }
      writer.int(2, CUMULATIVE);
    });
    return points;
  }
  const isSum = kind === "counter";
  writer.message(isSum ? 7 : 5, () => {
    for (const { labels, value } of metric.series()) {
      points++;
      writer.message(1, () => {
        if (isSum) writer.time(2, startMs);
        writer.time(3, nowMs);
        writer.double(4, value);
        writeAttributes(writer, 7, labels);
      });
    }
    if (isSum) {
      writer.int(2, CUMULATIVE);
      writer.int(3, 1);
    }
  });
  return points;
}

function writeHistogram(writer: ProtoWriter, series: HistogramSeries, startMs: number, nowMs: number): void {
  writer.time(2, startMs);
  writer.time(3, nowMs);
  writer.fixed64(
    4,
    series.counts.reduce((total, count) => total + count, 0),
  );
  writer.double(5, series.sum);
  writer.packedFixed64(6, series.counts);
  writer.packedDouble(7, series.bounds);
  for (let bucket = 0; bucket < series.counts.length; bucket++) {
    const exemplar = series.exemplar(bucket);
    if (exemplar !== undefined) writer.message(8, () => writeExemplar(writer, exemplar));
  }
  writeAttributes(writer, 9, series.labels);
}

function writeExemplar(writer: ProtoWriter, exemplar: Exemplar): void {
  writer.time(2, exemplar.atMs);
  writer.double(3, exemplar.value);
  writer.hex(5, exemplar.traceId);
}

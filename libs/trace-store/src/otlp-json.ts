/**
 * OTLP/JSON: proto3's JSON with the protocol's own rules: trace and span ids in hex, enums as integers, lowerCamelCase names.
 * Each reader gives the message that the binary form decodes to.
 */
import type {
  AnyValue,
  ArrayValue,
  Exemplar,
  ExponentialHistogramDataPoint,
  ExportLogsServiceRequest,
  ExportMetricsServiceRequest,
  ExportTraceServiceRequest,
  HistogramDataPoint,
  InstrumentationScope,
  KeyValue,
  KeyValueList,
  LogRecord,
  Metric,
  NumberDataPoint,
  Resource,
  Span,
  Span_Event,
  Span_Link,
  Status,
  SummaryDataPoint,
} from "@ringlight/proto/otlp";
import * as json from "./json-reader.ts";

const { object, list, optional, lazy, text, hex, integer, decimal, number, flag } = json;

/** An enum's value; numbers beyond the known ones are taken as they are, and judged where they are used. */
const enumeration = <T>() => integer as json.JsonReader<unknown> as json.JsonReader<T>;

const anyValue: json.JsonReader<AnyValue> = lazy(() =>
  object<AnyValue>({
    stringValue: optional(text),
    boolValue: optional(flag),
    intValue: optional(decimal),
    doubleValue: optional(number),
    arrayValue: optional(object<ArrayValue>({ values: list(anyValue) })),
    kvlistValue: optional(object<KeyValueList>({ values: list(keyValue) })),
    bytesValue: optional(json.base64),
  }),
);
const keyValue: json.JsonReader<KeyValue> = object<KeyValue>({ key: text, value: optional(anyValue) });
const attributes = list(keyValue);
const resource = optional(object<Resource>({ attributes, droppedAttributesCount: integer }));
const scope = optional(
  object<InstrumentationScope>({ name: text, version: text, attributes, droppedAttributesCount: integer }),
);

const span = object<Span>({
  traceId: hex,
  spanId: hex,
  traceState: text,
  parentSpanId: hex,
  name: text,
  kind: enumeration<Span["kind"]>(),
  startTimeUnixNano: decimal,
  endTimeUnixNano: decimal,
  attributes,
  droppedAttributesCount: integer,
  events: list(object<Span_Event>({ timeUnixNano: decimal, name: text, attributes, droppedAttributesCount: integer })),
  droppedEventsCount: integer,
  links: list(
    object<Span_Link>({
      traceId: hex,
      spanId: hex,
      traceState: text,
      attributes,
      droppedAttributesCount: integer,
      flags: integer,
    }),
  ),
  droppedLinksCount: integer,
  status: optional(object<Status>({ message: text, code: enumeration<Status["code"]>() })),
  flags: integer,
});

/** A traces request. */
export const tracesRequest = object<ExportTraceServiceRequest>({
  resourceSpans: list(
    object<ExportTraceServiceRequest["resourceSpans"][number]>({
      resource,
      scopeSpans: list(
        object<ExportTraceServiceRequest["resourceSpans"][number]["scopeSpans"][number]>({
          scope,
          spans: list(span),
          schemaUrl: text,
        }),
      ),
      schemaUrl: text,
    }),
  ),
});

const logRecord = object<LogRecord>({
  timeUnixNano: decimal,
  severityNumber: integer,
  severityText: text,
  body: optional(anyValue),
  attributes,
  droppedAttributesCount: integer,
  flags: integer,
  traceId: hex,
  spanId: hex,
  observedTimeUnixNano: decimal,
  eventName: text,
});

/** A logs request. */
export const logsRequest = object<ExportLogsServiceRequest>({
  resourceLogs: list(
    object<ExportLogsServiceRequest["resourceLogs"][number]>({
      resource,
      scopeLogs: list(
        object<ExportLogsServiceRequest["resourceLogs"][number]["scopeLogs"][number]>({
          scope,
          logRecords: list(logRecord),
          schemaUrl: text,
        }),
      ),
      schemaUrl: text,
    }),
  ),
});

const exemplars = list(
  object<Exemplar>({
    timeUnixNano: decimal,
    asDouble: optional(number),
    asInt: optional(decimal),
    spanId: hex,
    traceId: hex,
    filteredAttributes: attributes,
  }),
);
const point = { startTimeUnixNano: decimal, timeUnixNano: decimal, attributes, flags: integer };
const numberPoint = object<NumberDataPoint>({
  ...point,
  asDouble: optional(number),
  asInt: optional(decimal),
  exemplars,
});
const distribution = { count: number, sum: optional(number), min: optional(number), max: optional(number), exemplars };
const buckets = optional(
  object<NonNullable<ExponentialHistogramDataPoint["positive"]>>({ offset: integer, bucketCounts: list(number) }),
);
const temporality = enumeration<NonNullable<Metric["sum"]>["aggregationTemporality"]>();

const metric = object<Metric>({
  name: text,
  description: text,
  unit: text,
  gauge: optional(object<NonNullable<Metric["gauge"]>>({ dataPoints: list(numberPoint) })),
  sum: optional(
    object<NonNullable<Metric["sum"]>>({
      dataPoints: list(numberPoint),
      aggregationTemporality: temporality,
      isMonotonic: flag,
    }),
  ),
  histogram: optional(
    object<NonNullable<Metric["histogram"]>>({
      dataPoints: list(
        object<HistogramDataPoint>({
          ...point,
          ...distribution,
          bucketCounts: list(number),
          explicitBounds: list(number),
        }),
      ),
      aggregationTemporality: temporality,
    }),
  ),
  exponentialHistogram: optional(
    object<NonNullable<Metric["exponentialHistogram"]>>({
      dataPoints: list(
        object<ExponentialHistogramDataPoint>({
          ...point,
          ...distribution,
          scale: integer,
          zeroCount: number,
          zeroThreshold: number,
          positive: buckets,
          negative: buckets,
        }),
      ),
      aggregationTemporality: temporality,
    }),
  ),
  summary: optional(
    object<NonNullable<Metric["summary"]>>({
      dataPoints: list(
        object<SummaryDataPoint>({
          ...point,
          count: number,
          sum: number,
          quantileValues: list(object<SummaryDataPoint["quantileValues"][number]>({ quantile: number, value: number })),
        }),
      ),
    }),
  ),
  metadata: attributes,
});

/** A metrics request. */
export const metricsRequest = object<ExportMetricsServiceRequest>({
  resourceMetrics: list(
    object<ExportMetricsServiceRequest["resourceMetrics"][number]>({
      resource,
      scopeMetrics: list(
        object<ExportMetricsServiceRequest["resourceMetrics"][number]["scopeMetrics"][number]>({
          scope,
          metrics: list(metric),
          schemaUrl: text,
        }),
      ),
      schemaUrl: text,
    }),
  ),
});

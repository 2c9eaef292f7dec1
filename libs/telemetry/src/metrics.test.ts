import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isRinglightError, LATENCY_BOUNDS_S, latencyBucket } from "@ringlight/core";
import {
  acceptsOpenMetrics,
  METRICS,
  MetricRegistry,
  OPENMETRICS_CONTENT_TYPE,
  processMetrics,
  renderPrometheus,
} from "./index.ts";

interface Parsed {
  readonly types: Map<string, string>;
  readonly helps: Map<string, string>;
  readonly units: Map<string, string>;
  readonly samples: { name: string; labels: Record<string, string>; value: number; exemplar?: string }[];
}

/** Reads the text format back, strictly: a line that it does not understand is a failure. */
function parse(text: string): Parsed {
  const parsed: Parsed = { types: new Map(), helps: new Map(), units: new Map(), samples: [] };
  assert.ok(text.endsWith("\n"));
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment) {
      const [, what, name = "", words = ""] = comment;
      (what === "HELP" ? parsed.helps : what === "TYPE" ? parsed.types : parsed.units).set(name, words);
      continue;
    }
    if (line === "# EOF") continue;
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*?)\})? (\S+)(?: # (\{.*\} \S+ \S+))?$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    const labels: Record<string, string> = {};
    for (const [, name = "", value = ""] of (sample[2] ?? "").matchAll(
      /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?/g,
    )) {
      labels[name] = value.replace(/\\(.)/g, (_, character) => (character === "n" ? "\n" : character));
    }
    const value = sample[3] === "+Inf" ? Number.POSITIVE_INFINITY : Number(sample[3]);
    assert.ok(!Number.isNaN(value), line);
    parsed.samples.push({ name: sample[1] ?? "", labels, value, ...(sample[4] ? { exemplar: sample[4] } : {}) });
  }
  return parsed;
}

describe("renderPrometheus", () => {
  it("names counters, gauges and histograms with their units", () => {
    const registry = new MetricRegistry();
    registry.counter(METRICS.cacheRequests).with({ tier: "mem", outcome: "hit", miss_reason: "", mount: "m" }).add(3);
    registry.counter(METRICS.cacheEvictions).with({ tier: "ssd", reason: "full" }).add(4);
    registry.counter(METRICS.relayIo).with({}).add(4096);
    registry.gauge(METRICS.cacheUsage, () => [{ labels: { tier: "mem" }, value: 7 }]);
    registry.gauge(METRICS.ringEpoch, () => 12);
    registry.gauge(METRICS.eventLoopDelayP99, () => undefined);
    const { samples, types, helps } = parse(renderPrometheus(registry));
    assert.deepEqual(samples, [
      {
        name: "ringlight_cache_requests_total",
        labels: { tier: "mem", outcome: "hit", miss_reason: "", mount: "m" },
        value: 3,
      },
      { name: "ringlight_cache_evictions_total", labels: { tier: "ssd", reason: "full" }, value: 4 },
      { name: "ringlight_relay_io_bytes_total", labels: {}, value: 4096 },
      { name: "ringlight_cache_usage_bytes", labels: { tier: "mem" }, value: 7 },
      { name: "ringlight_ring_epoch", labels: {}, value: 12 },
    ]);
    assert.equal(types.get("ringlight_cache_requests_total"), "counter");
    assert.equal(types.get("ringlight_cache_usage_bytes"), "gauge");
    assert.equal(helps.get("ringlight_ring_epoch"), METRICS.ringEpoch.help);
  });

  it("writes histograms with cumulative buckets, sum and count", () => {
    const registry = new MetricRegistry();
    const series = registry.histogram(METRICS.requestDuration).with({ api: "s3.GetObject", status: "2xx" });
    const values = [0.00005, 0.0004, 0.0004, 3, 100];
    for (const value of values) series.observe(value);
    const { samples, types } = parse(renderPrometheus(registry));
    assert.equal(types.get("ringlight_request_duration_seconds"), "histogram");
    const buckets = samples.filter((sample) => sample.name === "ringlight_request_duration_seconds_bucket");
    assert.equal(buckets.length, LATENCY_BOUNDS_S.length + 1);
    for (const bucket of buckets) {
      const le = bucket.labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(bucket.labels.le);
      assert.equal(bucket.value, values.filter((value) => value <= le).length, `le ${le}`);
    }
    assert.equal(samples.find((sample) => sample.name.endsWith("_count"))?.value, 5);
    assert.ok(Math.abs((samples.find((sample) => sample.name.endsWith("_sum"))?.value ?? 0) - 103.00085) < 1e-9);
    assert.deepEqual([...series.counts].indexOf(2), latencyBucket(0.0004));
  });

  it("escapes labels so that they read back the same", () => {
    const registry = new MetricRegistry();
    const mount = 'a"b\\c\nd';
    registry.counter(METRICS.ufsIo).with({ mount, op: "get", status: "ok" }).add(1);
    assert.equal(parse(renderPrometheus(registry)).samples[0]?.labels.mount, mount);
  });

  it("writes OpenMetrics with units, exemplars and the end mark when asked", () => {
    const registry = new MetricRegistry();
    registry.counter(METRICS.fallbacks).with({}).add(2);
    const series = registry.histogram(METRICS.requestDuration).with({ api: "grpc.Read", status: "2xx" });
    series.observe(0.003);
    series.observe(0.004, "0af7651916cd43dd8448eb211c80319c");
    const text = renderPrometheus(registry, { openMetrics: true });
    assert.ok(text.endsWith("# EOF\n"));
    const { types, units, samples } = parse(text);
    assert.equal(types.get("ringlight_fallbacks"), "counter");
    assert.equal(units.get("ringlight_request_duration_seconds"), "seconds");
    assert.equal(samples.find((sample) => sample.name === "ringlight_fallbacks_total")?.value, 2);
    const exemplars = samples.flatMap((sample) => (sample.exemplar ? [sample] : []));
    assert.equal(exemplars.length, 1);
    assert.equal(exemplars[0]?.labels.le, "0.005");
    assert.match(exemplars[0]?.exemplar ?? "", /^\{trace_id="0af7651916cd43dd8448eb211c80319c"\} 0\.004 \d+\.\d{3}$/);
    assert.ok(!renderPrometheus(registry).includes("trace_id"), "the older format has no exemplars");
    assert.ok(acceptsOpenMetrics(`${OPENMETRICS_CONTENT_TYPE};q=0.9,*/*`) && !acceptsOpenMetrics(undefined));
  });
});

describe("MetricRegistry", () => {
  it("resolves equal label sets to one series", () => {
    const counter = new MetricRegistry().counter(METRICS.cacheEvictions);
    const series = counter.with({ tier: "mem", reason: "full" });
    counter.with({ reason: "full", tier: "mem" }).add(2);
    assert.equal(counter.with({ tier: "mem", reason: "full" }), series);
    assert.equal(series.value, 2);
  });

  it("bounds the number of series, and counts what goes beyond under other", () => {
    const counter = new MetricRegistry().counter(METRICS.ufsIo);
    for (let index = 0; index < 5000; index++) counter.with({ mount: `m${index}`, op: "get", status: "ok" }).add(1);
    const all = [...counter.series()];
    assert.equal(all.length, 2001);
    assert.equal(all.find((series) => series.labels.mount === "other")?.value, 3000);
  });

  it("refuses the same name twice", () => {
    const registry = new MetricRegistry();
    registry.counter(METRICS.fallbacks);
    assert.throws(
      () => registry.counter(METRICS.fallbacks),
      (error) => isRinglightError(error, "RL_INTERNAL"),
    );
  });

  it("has no path or key among the labels of the table", () => {
    for (const { name, labels } of Object.values(METRICS)) {
      for (const label of labels as readonly string[]) assert.ok(!/path|key|object/.test(label), `${name}{${label}}`);
    }
  });
});

describe("processMetrics", () => {
  it("reads processor, memory and a delay of the event loop that a busy loop raises", async () => {
    const metrics = processMetrics();
    const registry = new MetricRegistry();
    metrics.register(registry);
    const before = metrics();
    const endMs = performance.now() + 15_000;
    let reading = before;
    while (reading.eventLoopDelayP99Ms < 50 && performance.now() < endMs) {
      const busyMs = performance.now() + 120;
      while (performance.now() < busyMs);
      await new Promise(setImmediate);
      reading = metrics();
    }
    assert.ok(reading.eventLoopDelayP99Ms >= 50, `${reading.eventLoopDelayP99Ms} ms`);
    assert.ok(reading.cpuSeconds > before.cpuSeconds);
    assert.ok(reading.rssBytes > 1e6 && reading.heapUsedBytes > 1e6);
    const names = () => new Set(parse(renderPrometheus(registry)).samples.map((sample) => sample.name));
    const garbage: unknown[] = [];
    while (!names().has("v8js_gc_duration_seconds_count") && performance.now() < endMs) {
      garbage.push(Array.from({ length: 1e5 }, () => ({})));
      if (garbage.length > 20) garbage.length = 0;
      await new Promise(setImmediate);
    }
    assert.deepEqual(
      [...names()],
      [
        "process_cpu_time_seconds_total",
        "process_memory_usage_bytes",
        "v8js_memory_heap_used_bytes",
        "nodejs_eventloop_delay_p99_seconds",
        "nodejs_eventloop_delay_max_seconds",
        "nodejs_eventloop_utilization_ratio",
        "v8js_gc_duration_seconds_bucket",
        "v8js_gc_duration_seconds_sum",
        "v8js_gc_duration_seconds_count",
      ],
    );
    metrics.close();
    metrics.close();
  });
});

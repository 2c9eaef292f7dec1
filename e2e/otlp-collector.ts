/**
 * The OpenTelemetry Collector, as a second backend that is not ours: built by Go from e2e/collector, once for each state of
 * its sources.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort, spawnProcess, waitFor } from "@ringlight/testing";

const SOURCES = fileURLToPath(new URL("collector", import.meta.url));
const CACHE = fileURLToPath(new URL("../node_modules/.cache/ringlight", import.meta.url));
/** Longest time to fetch the modules and build. */
const BUILD_MS = 900_000;

/** A span as the collector understood it. */
export interface CollectedSpan {
  readonly service: string;
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 2 for a server's, 3 for a client's. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A collector that listens. */
export interface Collector {
  /** Its OTLP/HTTP base. */
  readonly url: string;
  spans(): CollectedSpan[];
  stop(): Promise<void>;
}

/** Builds the collector unless it was built before. @throws Error when there is no Go that is new enough */
async function build(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["main.go", "go.mod", "go.sum"]) hash.update(readFileSync(join(SOURCES, file)));
  const program = join(CACHE, `collector-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  try {
    const output = `${program}.${process.pid}`;
    await promisify(execFile)("go", ["build", "-o", output, "."], { cwd: SOURCES, timeout: BUILD_MS });
    renameSync(output, program);
    return program;
  } catch (error) {
    throw new Error("the collector cannot be built; Go 1.25 or newer must be on PATH", { cause: error });
  }
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Line {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly traceState?: string;
        readonly name: string;
        readonly kind: number;
        readonly attributes?: readonly Attribute[];
      }[];
    }[];
  }[];
}

const textOf = (attributes: readonly Attribute[] = []): Record<string, string> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));

/** A Collector of a configuration. */
export interface RunningCollector {
  /** What its exporter "stdout" was given, a request a line. */
  lines(): string[];
  stop(): Promise<void>;
}

/**
 * Starts a Collector and waits until its OTLP/HTTP port answers.
 * @param args its own flags: --config, --set
 */
export async function runCollector(args: readonly string[], httpPort: number): Promise<RunningCollector> {
  const child = await spawnProcess(await build(), args);
  try {
    // Whatever it says, it listens.
    await waitFor(async () => (await fetch(`http://127.0.0.1:${httpPort}/`)).status > 0, {
      timeoutMs: 30_000,
      intervalMs: 100,
      what: "the collector to listen",
    });
  } catch (error) {
    await child.stop();
    throw new Error(`the collector does not start: ${child.output}`, { cause: error });
  }
  return {
    lines: () => child.output.split("\n").filter((line) => line.startsWith('{"resource') && line.endsWith("}")),
    stop: () => child.stop(),
  };
}

/** A configuration that writes what comes to standard output, as a flag. JSON is YAML. */
export function toStdout(ends: { readonly http: number; readonly grpc?: number; readonly logsPath?: string }): string {
  const http = { endpoint: `127.0.0.1:${ends.http}`, ...(ends.logsPath && { logs_url_path: ends.logsPath }) };
  const grpc = ends.grpc === undefined ? {} : { grpc: { endpoint: `127.0.0.1:${ends.grpc}` } };
  const pipeline = { receivers: ["otlp"], exporters: ["stdout"] };
  const config = {
    receivers: { otlp: { protocols: { http, ...grpc } } },
    exporters: { stdout: {} },
    service: { pipelines: { traces: pipeline, logs: pipeline } },
  };
  return `--config=yaml:${JSON.stringify(config)}`;
}

/** The spans of lines of traces. */
export function spansOf(lines: readonly string[]): CollectedSpan[] {
  return lines
    .filter((line) => line.startsWith('{"resourceSpans"'))
    .flatMap((line) => (JSON.parse(line) as Line).resourceSpans)
    .flatMap(({ resource, scopeSpans }) => {
      const { "service.name": service = "", "service.instance.id": instance = "" } = textOf(resource.attributes);
      return scopeSpans
        .flatMap((scope) => scope.spans)
        .map(({ attributes, parentSpanId = "", traceState = "", ...span }) => ({
          service,
          instance,
          parentSpanId,
          traceState,
          traceId: span.traceId,
          spanId: span.spanId,
          name: span.name,
          kind: span.kind,
          attributes: textOf(attributes),
        }));
    });
}

/** Starts a Collector of traces on a free port. */
export async function startCollector(): Promise<Collector> {
  const port = await freePort();
  const running = await runCollector([toStdout({ http: port })], port);
  return {
    url: `http://127.0.0.1:${port}`,
    spans: () => spansOf(running.lines()),
    stop: running.stop,
  };
}

/** The settings of every process: one table and one zod schema each. docs/configuration.md is generated from here. */
import { resolve } from "node:path";
import { z } from "zod";
import { isKernelDirectory } from "./kernel-directory.ts";
import {
  bucketTemplate,
  bytes,
  directory,
  duration,
  host,
  hostPort,
  integer,
  list,
  name,
  oneOf,
  optional,
  path,
  port,
  positive,
  type RawValue,
  type Settings,
  share,
  url,
  type Values,
} from "./setting.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const text = (value: RawValue | undefined): string | undefined => (typeof value === "string" ? value : undefined);

const cluster = name({
  default: "default",
  about: "Name of the cluster: everything in the registry lives under /ringlight/<cluster>/.",
});
const dataDir = directory({ required: true, about: "Directory that this process keeps its state in." });
const bind = host({ default: "127.0.0.1", about: "Address to listen on. Any but a loopback address needs tokenFile." });
const advertise = host({
  about: "Address under which others reach this process; it goes into the registry.",
  derive: (raw) => text(raw.bind),
  deriveNote: "the same as bind",
});
const registry = list({
  default: "127.0.0.1:19997",
  about: "Endpoints of the registry (etcd, or the embedded server).",
  allowed: "a comma list of host:port",
  item: hostPort,
});
const tokenFile = optional(
  path({ about: "File with the cluster token, which every gRPC call must then carry. Readable by its owner only." }),
);
const logLevel = oneOf({
  of: ["debug", "info", "warn", "error"],
  default: "info",
  about: "The least severe log lines that are written.",
});
function eviction(tier: string) {
  return oneOf({
    of: ["wtinylfu", "lru", "s3fifo", "sieve", "freeze"],
    default: "wtinylfu",
    about: `Which pages leave the ${tier} tier when it is full; freeze keeps what came first and takes nothing more.`,
  });
}

const logFormat = oneOf({
  of: ["json", "text"],
  default: "json",
  about: "Log lines as JSON for machines, or as text for eyes.",
});
const leaseTtl = duration("leaseTtlMs", {
  default: "5s",
  minMs: 1_000,
  maxMs: 600_000,
  limits: "from 1s to 10m",
  about: "How long the registry counts this process as alive after its last sign of life.",
});
const id = (what: string) =>
  optional(
    name({ about: `Stable identity of the ${what}. Left out, it is made at the first start and kept in dataDir.` }),
  );

/** What is told of a process's work, and to whom. */
const telemetry = {
  consoleUrl: optional(
    url({
      about:
        "URL of the console, whose receiver gets this process's spans and log lines, with the cluster token. OTEL_* variables name further receivers.",
    }),
  ),
  traceRatio: share({
    default: "0.001",
    about: "Share of the traces that begin here which is kept whatever happens; OTEL_TRACES_SAMPLER goes before it.",
  }),
  traceSlow: duration("traceSlowMs", {
    default: "100ms",
    minMs: 0,
    maxMs: 600_000,
    limits: "up to 10m",
    about: "Requests that take as long to their first byte are always kept as spans.",
  }),
  traceMisses: duration("traceMissesMs", {
    default: "0ms",
    minMs: 0,
    maxMs: 600_000,
    limits: "up to 10m",
    about: "Reads that missed are kept as spans when they took as long; 0 keeps all of them.",
  }),
  tracePaths: oneOf({
    of: ["console", "all", "none"],
    default: "console",
    about:
      "Who sees the paths of objects on spans: the console, all receivers, or nobody. The others see their hashes.",
  }),
} satisfies Settings;

/** Settings of a worker. */
const workerSettings = {
  cluster,
  dataDir,
  id: id("worker"),
  bind,
  advertise,
  s3Port: port({ default: "29998", zero: "any free port", about: "Port of the S3 endpoint." }),
  s3SharedPort: port({
    default: "0",
    zero: "none",
    about: "A second S3 port that all workers of the host share (SO_REUSEPORT): one endpoint for many processes.",
  }),
  grpcPort: port({ default: "29999", zero: "any free port", about: "Port of the gRPC endpoint." }),
  restPort: port({
    default: "28080",
    zero: "any free port",
    about: "Port of /healthz, /readyz, /metrics and the REST endpoint.",
  }),
  registry,
  tokenFile,
  s3CredentialsFile: optional(
    path({ about: "JSON file with the S3 key pairs that clients may sign with. Readable by its owner only." }),
  ),
  buckets: optional(
    bucketTemplate({
      about:
        "Where buckets are made that S3 clients create. Left out, CreateBucket is refused for names that are no mounts.",
    }),
  ),
  mem: bytes("memBytes", {
    default: "256MiB",
    min: 0,
    limits: "0 for no such tier",
    about: "Size of the mem tier.",
  }),
  memDir: optional(directory({ about: "Directory of the mem tier. Left out, it is /dev/shm/ringlight-<uid>-<id>." })),
  ssd: bytes("ssdBytes", {
    default: "2GiB",
    min: 0,
    limits: "0 for no such tier",
    about: "Size of the ssd tier, all its directories together.",
  }),
  ssdDirs: list({
    about: "Directories of the ssd tier, one a disk.",
    allowed: "a comma list of paths outside of /proc and /sys",
    item: (item) => (item === "" || isKernelDirectory(item) ? undefined : resolve(item)),
    derive: (raw) => {
      const directory = text(raw.dataDir);
      return directory === undefined ? undefined : [`${directory}/pages`];
    },
    deriveNote: "<dataDir>/pages",
  }),
  pageSize: bytes("pageBytes", {
    default: "1MiB",
    min: 64 * KIB,
    max: 16 * MIB,
    powerOfTwo: true,
    limits: "a power of two from 64KiB to 16MiB",
    about: "Size of a page, the unit of caching.",
  }),
  segmentSize: bytes("segmentBytes", {
    default: "256MiB",
    min: 64 * KIB,
    limits: "a multiple of pageSize",
    about:
      "Size of a segment, the run of pages of a large object that has an owner of its own. One for the whole cluster.",
  }),
  leaseTtl,
  weight: positive({
    default: "1",
    max: 1000,
    about: "Share of the ring, in proportion to the other workers' weights.",
  }),
  ufsTimeout: duration("ufsTimeoutMs", {
    default: "10s",
    minMs: 100,
    maxMs: 600_000,
    limits: "from 100ms to 10m",
    about: "How long the store behind a mount may take for an answer to begin, or to go on.",
  }),
  memEviction: eviction("mem"),
  ssdEviction: eviction("ssd"),
  sendfile: oneOf({
    of: ["auto", "off"],
    default: "auto",
    about:
      "How cached bytes leave on the S3 port: auto sends page files by sendfile(2) where the addon was built, off reads and writes them.",
  }),
  negativeTtl: duration("negativeTtlMs", {
    default: "1s",
    minMs: 0,
    maxMs: 600_000,
    limits: "up to 10m",
    about: "How long the answer that the store has no such object is remembered.",
  }),
  ...telemetry,
  logLevel,
  logFormat,
} satisfies Settings;

/** Settings of a scheduler. */
const schedulerSettings = {
  cluster,
  dataDir,
  id: id("scheduler"),
  bind,
  advertise,
  port: port({ default: "19998", zero: "any free port", about: "Port of the gRPC endpoint." }),
  restPort: port({
    default: "19996",
    zero: "any free port",
    about: "Port of /healthz, /metrics, /openapi.json and the REST endpoint for jobs.",
  }),
  registry,
  tokenFile,
  leaseTtl,
  absence: duration("absenceMs", {
    default: "2m",
    minMs: 1_000,
    maxMs: 30 * 86_400_000,
    limits: "from 1s to 30d",
    about: "How long a worker may be away before it is taken out of the ring.",
  }),
  epochHistory: integer({
    default: "1000",
    min: 1,
    max: 100_000,
    about: "How many epochs of the ring are kept for looking back.",
  }),
  maxJobs: integer({
    default: "4",
    min: 1,
    max: 100,
    about: "How many jobs run at once; the others wait, those of a higher priority in front.",
  }),
  rebalanceBandwidth: bytes("rebalanceBytesPerSecond", {
    default: "256MiB",
    min: 0,
    limits: "0 or more",
    about:
      "How many bytes a second workers hand over to each other after the ring has changed; 0 for no hand-over, so that pages go over when they are read.",
  }),
  keepJobs: integer({
    default: "1000",
    min: 0,
    max: 100_000,
    about: "How many jobs that have ended are remembered.",
  }),
  keepJobsFor: duration("keepJobsForMs", {
    default: "30d",
    minMs: 1_000,
    maxMs: 3650 * 86_400_000,
    limits: "from 1s to 3650d",
    about: "How long a job that has ended is remembered.",
  }),
  ...telemetry,
  logLevel,
  logFormat,
} satisfies Settings;

/** Settings of the console. */
const consoleSettings = {
  cluster,
  dataDir,
  bind,
  port: port({ default: "19999", zero: "any free port", about: "Port of the console's pages and of its API." }),
  registry,
  tokenFile,
  login: oneOf({
    of: ["auto", "always"],
    default: "auto",
    about:
      "Whether the console asks for a log-in: auto where it listens on another than a loopback address, always also on loopback, for example behind a proxy. Needs tokenFile.",
  }),
  traceSource: oneOf({
    of: ["embedded", "jaeger", "tempo"],
    default: "embedded",
    about:
      "Where pages look for traces that the embedded store has not: in a Jaeger or a Tempo at traceSourceUrl besides.",
  }),
  traceSourceUrl: optional(
    url({
      about: "URL of that backend's HTTP API, as http://127.0.0.1:16686 for Jaeger or http://127.0.0.1:3200 for Tempo.",
    }),
  ),
  traceRecent: bytes("traceRecentBytes", {
    default: "512MiB",
    min: MIB,
    limits: "at least 1MiB",
    about: "Bytes of the newest traces, whatever they are. The oldest leave first.",
  }),
  traceKept: bytes("traceKeptBytes", {
    default: "512MiB",
    min: MIB,
    limits: "at least 1MiB",
    about: "Bytes of traces that are kept for a reason: errors, slow ones, jobs, misses that need an explanation.",
  }),
  traceRecentAge: duration("traceRecentAgeMs", {
    default: "24h",
    minMs: 60_000,
    maxMs: 365 * 86_400_000,
    limits: "from 1m to 365d",
    about: "Age at which recent traces leave even where there is room.",
  }),
  traceKeptAge: duration("traceKeptAgeMs", {
    default: "30d",
    minMs: 60_000,
    maxMs: 365 * 86_400_000,
    limits: "from 1m to 365d",
    about: "Age at which kept traces leave.",
  }),
  traceSlow: duration("traceSlowMs", {
    default: "500ms",
    minMs: 1,
    maxMs: 600_000,
    limits: "from 1ms to 10m",
    about: "A trace with a span that takes as long is kept.",
  }),
  metricBytes: bytes("metricBytes", {
    default: "256MiB",
    min: MIB,
    limits: "at least 1MiB",
    about: "Bytes of metrics: 1 s for an hour, 10 s for a day, 5 min for 30 days, or what of that fits.",
  }),
  logBytes: bytes("logBytes", {
    default: "128MiB",
    min: MIB,
    limits: "at least 1MiB",
    about: "Bytes of log lines. The oldest leave first.",
  }),
  logAge: duration("logAgeMs", {
    default: "7d",
    minMs: 60_000,
    maxMs: 365 * 86_400_000,
    limits: "from 1m to 365d",
    about: "Age at which log lines leave.",
  }),
  benchDir: optional(
    directory({ about: "Directory of the benchmark runs that the console shows; that of the checkout when left out." }),
  ),
  logLevel,
  logFormat,
} satisfies Settings;

/** Settings of the embedded registry server. */
const registrySettings = {
  bind: host({
    default: "127.0.0.1",
    about: "Address to listen on. The embedded registry has no log-in: let it listen on trusted networks only.",
  }),
  port: port({ default: "19997", zero: "any free port", about: "Port of the etcd v3 gRPC endpoint." }),
  dataDir,
  logLevel,
  logFormat,
} satisfies Settings;

/** All settings by process. */
export const SETTINGS = {
  worker: workerSettings,
  scheduler: schedulerSettings,
  console: consoleSettings,
  registry: registrySettings,
} satisfies Record<string, Settings>;

/** A process that reads its settings here. */
export type ProcessName = keyof typeof SETTINGS;

/** Values of a worker. */
export type WorkerConfig = Values<typeof workerSettings>;
/** Values of a scheduler. */
export type SchedulerConfig = Values<typeof schedulerSettings>;
/** Values of the console. */
export type ConsoleConfig = Values<typeof consoleSettings>;
/** Values of the embedded registry server. */
export type RegistryConfig = Values<typeof registrySettings>;

/** Values by process. */
export interface ProcessConfigs {
  worker: WorkerConfig;
  scheduler: SchedulerConfig;
  console: ConsoleConfig;
  registry: RegistryConfig;
}

/** True for addresses that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || /^127(\.\d{1,3}){3}$/.test(address);
}

const WILDCARDS = new Set(["0.0.0.0", "::"]);

/** Rules that tie settings together. The path of each issue names the setting to change. */
function checkTogether(process: ProcessName, values: Record<string, unknown>, context: z.RefinementCtx): void {
  const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  const { bind: address, advertise: reached, pageSize, segmentSize } = values;
  if (typeof address === "string" && process !== "registry" && !isLoopback(address) && values.tokenFile === undefined) {
    refuse(
      "bind",
      "is not a loopback address and needs tokenFile: without a token, anybody who reaches it may read all mounts",
    );
  }
  if (typeof reached === "string" && WILDCARDS.has(reached)) {
    refuse("advertise", "is no address that others can connect to: set advertise to this host's own address");
  }
  if (typeof pageSize === "number" && typeof segmentSize === "number" && segmentSize % pageSize !== 0) {
    refuse("segmentSize", `must be a multiple of pageSize (${pageSize} bytes)`);
  }
}

/** The zod schema of a process: keys and text in, keys and values out; unknown keys refused. */
export function schemaOf(process: ProcessName): z.ZodType<Record<string, unknown>> {
  const settings: Settings = SETTINGS[process];
  const shape = Object.fromEntries(Object.entries(settings).map(([key, setting]) => [key, setting.schema]));
  return z.strictObject(shape).superRefine((values, context) => checkTogether(process, values, context));
}

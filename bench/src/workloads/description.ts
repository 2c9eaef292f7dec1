/** Descriptions of workloads: YAML, checked against a schema; what the schema does not know is refused by its name. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { fileError, parseBytes, RinglightError } from "@ringlight/core";
import { parse } from "yaml";
import { z } from "zod";

const bytes = z.union([z.number().nonnegative(), z.string()]).transform((value, context) => {
  if (typeof value === "number") return value;
  try {
    return parseBytes(value);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});
const count = z.int().positive();
const seconds = z.number().positive();

const about = {
  name: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string(),
  /** Where the figures are from. */
  source: z.string(),
};

const training = z.strictObject({
  ...about,
  kind: z.literal("training"),
  /** How samples become reads: a PyTorch worker fetches a batch, TensorFlow's readers stream files side by side. */
  loader: z.enum(["pytorch", "tensorflow"]),
  files: count,
  samplesPerFile: count,
  recordBytes: bytes,
  recordDeviationBytes: bytes,
  /** Bytes of a sample once it is decoded; told, not read. */
  resizedBytes: bytes.optional(),
  batchSize: count,
  readThreads: count,
  computationThreads: count.optional(),
  /** Batches that each reader prepares ahead (PyTorch), or that are ahead in all (TensorFlow). */
  prefetchBatches: count,
  /** Largest read of a streaming loader. */
  transferBytes: bytes.optional(),
  shuffleFiles: z.boolean(),
  shuffleSamples: z.boolean(),
  shuffleBuffer: count.optional(),
  epochs: count,
  /** Computation of one batch by accelerator. */
  computationSeconds: z.record(z.string(), seconds),
  /** Accelerator utilisation that passes, 0 to 1. */
  passMark: z.number().gt(0).max(1),
});

const checkpoint = z.strictObject({
  ...about,
  kind: z.literal("checkpoint"),
  checkpointBytes: bytes,
  processes: count,
  /** Checkpoints that are written, and read after that. */
  rounds: count,
  pauseSeconds: z.number().nonnegative(),
  /** Bytes in one request. */
  chunkBytes: bytes,
});

const safetensors = z.strictObject({
  ...about,
  kind: z.literal("safetensors"),
  files: count,
  fileBytes: bytes,
  tensorsPerFile: count,
  headerBytes: bytes,
  loaders: count,
  /** Ranges that a loader reads at once. */
  parallel: count,
  /** Tensors that lie next to each other are read in one range of at most so many bytes. */
  rangeBytes: bytes,
});

const images = z.strictObject({
  ...about,
  kind: z.literal("images"),
  files: count,
  meanBytes: bytes,
  deviationBytes: bytes,
  filesPerDirectory: count,
  readers: count,
  batchSize: count,
  epochs: count,
  thinkSeconds: z.number().nonnegative(),
});

const shards = z.strictObject({
  ...about,
  kind: z.literal("shards"),
  shards: count,
  shardBytes: bytes,
  readers: count,
  readBytes: bytes,
  epochs: count,
});

const vectors = z.strictObject({
  ...about,
  kind: z.literal("vectors"),
  indexBytes: bytes,
  files: count,
  leastReadBytes: bytes,
  greatestReadBytes: bytes,
  users: count,
  /** Reads of one search, one hop after another; the reads of a hop are parallel. */
  hops: count,
  readsPerHop: count,
  zipf: z.number().nonnegative(),
});

const query = z.strictObject({
  name: z.string(),
  table: z.string(),
  columns: z.array(z.string()).min(1),
  /** Row groups whose statistics exclude the range are not read. */
  where: z
    .array(
      z.strictObject({
        column: z.string(),
        /** Bounds as shares (0 to 1) of the column's range over the whole table. */
        from: z.number().min(0).max(1),
        to: z.number().min(0).max(1),
      }),
    )
    .default([]),
  /** Place of the bounds is drawn anew each time, and the width kept: other dates, other customers. */
  moving: z.boolean().default(false),
});

const sql = z.strictObject({
  ...about,
  kind: z.literal("sql"),
  pattern: z.enum(["queries", "dashboard", "lookup", "scan"]),
  engine: z.enum(["trino", "spark", "duckdb"]),
  tables: z.record(
    z.string(),
    z.strictObject({
      schema: z.enum(["lineitem", "orders", "store-sales"]),
      files: count,
      rows: count,
      rowsPerGroup: count,
    }),
  ),
  queries: z.array(query).min(1),
  users: count,
  /** Splits of a query that are read at once. */
  splits: count,
  thinkSeconds: z.number().nonnegative(),
  /** Times that each user runs through the queries. */
  rounds: count,
});

const micro = z.strictObject({
  ...about,
  kind: z.literal("micro"),
  operations: z.partialRecord(z.enum(["get", "head", "list", "put", "open"]), z.number().positive()),
  objects: count,
  objectBytes: bytes,
  /** Bytes of a GET or PUT; whole objects when left out. */
  readBytes: bytes.optional(),
  order: z.enum(["sequential", "random"]),
  zipf: z.number().nonnegative().default(0),
  users: count,
});

const DESCRIPTION = z.discriminatedUnion("kind", [
  training,
  checkpoint,
  safetensors,
  images,
  shards,
  vectors,
  sql,
  micro,
]);

/** A workload, as it is described. */
export type Description = z.infer<typeof DESCRIPTION>;
/** The description of one kind. */
export type DescriptionOf<Kind extends Description["kind"]> = Extract<Description, { kind: Kind }>;
/** A query of a description. */
export type Query = z.infer<typeof query>;

const DIRECTORY = fileURLToPath(new URL("../../workloads", import.meta.url));

/** Names of the workloads that come with the harness. */
export function workloadNames(): string[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => basename(file, ".yaml"))
    .sort();
}

/** Parses a description. `from` is named in errors. @throws RL_BAD_CONFIG naming each key that is wrong or unknown */
export function parseDescription(text: string, from: string): Description {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    throw new RinglightError("RL_BAD_CONFIG", `${from} is not YAML: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = DESCRIPTION.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) =>
    issue.code === "unrecognized_keys"
      ? `${[...issue.path, ""].join(".")}${issue.keys.join(", ")}: not known here`
      : `${issue.path.join(".") || "the whole"}: ${issue.message}`,
  );
  throw new RinglightError("RL_BAD_CONFIG", `${from}: ${problems.join("; ")}`);
}

/** Loads a workload by its name, or from a file. @throws RL_BAD_CONFIG, RL_BAD_REQUEST when there is none of that name */
export function loadDescription(nameOrFile: string): Description {
  const isFile = /\.ya?ml$/.test(nameOrFile);
  if (!isFile && !workloadNames().includes(nameOrFile)) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `there is no workload "${nameOrFile}"; there are ${workloadNames().join(", ")}, and any .yaml file`,
    );
  }
  const file = isFile ? nameOrFile : `${DIRECTORY}/${nameOrFile}.yaml`;
  return parseDescription(textOf(file), basename(file));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw fileError("the workload", file, error);
  }
}

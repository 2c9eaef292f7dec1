/** The OpenAPI 3.1 document of the REST door. */

const number = (description: string) => ({ type: "number", description });
const text = (description: string) => ({ type: "string", description });
const flag = (description: string) => ({ type: "boolean", description });
const list = (description: string) => ({ type: "array", items: { type: "string" }, description });
const orNull = (schema: { type: string; description: string }) => ({ ...schema, type: [schema.type, "null"] });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const amount = (description: string) => ({ allOf: [ref("Amount")], description });
const json = (schema: object) => ({ content: { "application/json": { schema } } });
const errors = { default: { description: "What went wrong", ...json(ref("Error")) } };
const found = (description: string, schema: object) => ({ "200": { description, ...json(schema) }, ...errors });
const id = { name: "id", in: "path", required: true, schema: { type: "string" }, description: "Id of the job" };
const query = (name: string, description: string, schema: object = { type: "string" }) => ({
  name,
  in: "query",
  description,
  schema,
});

const RULE = {
  name: text("Unique; up to 64 letters, digits, blanks and ._-"),
  path: text("/mount, /mount/dir/, /mount/name, or a pattern"),
  ttl: text("Pages leave so long after they came: 30m, 12h, 7d"),
  pin: flag("Pages stay while pins have room"),
  priority: { type: "string", enum: ["low", "normal", "high"], description: "Lower ones leave first" },
  quota: text("Bytes that the path may have in the cache of the whole cluster: 20GiB"),
};

const JOB = {
  id: text("Id"),
  kind: text("load, free, copy, move, sync, scrub or rebalance"),
  state: { type: "string", enum: ["queued", "running", "paused", "complete", "partial", "failed", "stopped"] },
  phase: text("load, repair or audit"),
  pass: number("From 1 on"),
  paths: list("Paths and patterns"),
  manifestPath: text("A file of paths in a mounted store"),
  priority: number("0 to 9"),
  submittedMs: number("Unix milliseconds"),
  startedMs: orNull(number("Unix milliseconds")),
  finishedMs: orNull(number("Unix milliseconds")),
  runningMs: number("Without queue and pauses"),
  reason: {
    type: ["object", "null"],
    description: "Why it ended as it did, or what it waits for",
    properties: { code: text("Of docs/errors.md"), message: text("In words") },
  },
  listed: amount("Found so far; all there is once listingEnded is true. Bytes of all copies"),
  listingEnded: flag("No more will be found"),
  loaded: amount("Brought into the cache by this job; of other kinds: dropped, copied, handed over, found well"),
  cached: amount("Was there before"),
  refused: amount("Not admitted by any tier, or evicted before the end. Bytes that are not cached"),
  failed: amount("Bytes that are not cached"),
  verifiedObjects: number("Compared with the store"),
  changedObjects: number("Changed in the store, and noticed"),
  readBytes: number("Read from stores for it; for rebalance from other workers"),
  objectsPerSecond: number("Of the last seconds"),
  bytesPerSecond: number("Of the last seconds"),
  remainingMs: orNull(number("null where it cannot be known")),
  takeovers: number("Times that another scheduler took it over"),
  scheduler: text("Who runs or ran it"),
  traceId: text("Of its last run"),
  retryOf: orNull(text("The job whose failures it does again")),
  target: orNull(text("Of copy and move")),
  columns: list("Of Parquet files"),
  schedule: orNull(text("Five fields of cron, UTC")),
  dueMs: orNull(number("When a scheduled job starts, Unix milliseconds")),
  dryRun: flag("Only says what would be done"),
  estimatedMs: orNull(number("Of a dry run: how long it would take")),
  cacheLimitBytes: number("Of a dry run"),
  cacheFreeBytes: number("Of a dry run"),
};

const SUBMISSION = {
  kind: text("load (the default), free, copy, move, sync or scrub"),
  paths: list("/mount, /mount/dir, /mount/key, or a pattern; or a manifest in their place"),
  manifest: text("Paths, one a line; at most 8 MiB"),
  manifestPath: text("A file of paths in a mounted store"),
  target: text("Of copy and move: where to"),
  overwrite: flag("Of copy and move: replace objects of the target that are others"),
  columns: list("Of load: only these columns of Parquet files, and the footers"),
  replicas: number("Copies; 0: as the mount says"),
  bandwidth: {
    type: ["string", "number"],
    description: "Bytes a second for the whole cluster, or a text such as 200MiB/s",
  },
  concurrency: number("Transfers at once on each worker; 0 means 16"),
  priority: number("0 to 9; higher ones start first"),
  verify: flag("Read back and compare"),
  skipCached: flag("Leave objects alone that are wholly cached"),
  metadataOnly: flag("No pages"),
  dryRun: flag("Only say what would be loaded"),
  failOnPartial: flag("End as failed at the first object that fails"),
  schedule: text("Five fields of cron, UTC: run again and again"),
};

const dryRun = query("dryRun", "true: only say what would change", { type: "boolean" });

/** The document. */
export function openApi(version: string): object {
  const action = (name: string, summary: string) => ({
    post: { operationId: `${name}Job`, summary, parameters: [id], responses: found("The job", ref("Job")) },
  });
  return {
    openapi: "3.1.0",
    info: { title: "Ringlight jobs", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    security: [{ token: [] }, {}],
    paths: {
      "/v1/jobs": {
        get: {
          operationId: "listJobs",
          summary: "Jobs, newest first",
          parameters: [
            query("state", "Only these; may be given more than once", { type: "array", items: { type: "string" } }),
            query("limit", "At most so many; 100 if left out", { type: "integer" }),
          ],
          responses: found("Jobs", { type: "object", properties: { jobs: { type: "array", items: ref("Job") } } }),
        },
        post: {
          operationId: "submitJob",
          summary: "Submits a job, or finds the one of the same specification that has not ended",
          requestBody: { required: true, ...json(ref("Submission")) },
          responses: {
            "201": { description: "The new job", ...json(ref("Submitted")) },
            ...found("The job that was there already", ref("Submitted")),
          },
        },
      },
      "/v1/jobs/{id}": {
        get: { operationId: "getJob", summary: "One job", parameters: [id], responses: found("The job", ref("Job")) },
      },
      "/v1/jobs/{id}/failed": {
        get: {
          operationId: "listFailed",
          summary: "What a job could not do, and why",
          parameters: [
            id,
            query("offset", "Entries to leave out", { type: "integer" }),
            query("limit", "At most so many; 1000 if left out", { type: "integer" }),
          ],
          responses: found("Entries", ref("Failed")),
        },
      },
      "/v1/jobs/{id}/retry": {
        post: {
          operationId: "retryJob",
          summary: "Submits a job for just what this one could not do",
          parameters: [id],
          responses: { "201": { description: "The new job", ...json(ref("Submitted")) }, ...errors },
        },
      },
      "/v1/jobs/{id}/pause": action("pause", "Pauses a job"),
      "/v1/jobs/{id}/resume": action("resume", "Lets a paused job go on"),
      "/v1/jobs/{id}/stop": action("stop", "Ends a job"),
      "/v1/policies": {
        get: { operationId: "listPolicies", summary: "Rules by path", responses: found("The rules", ref("Policies")) },
        put: {
          operationId: "applyPolicies",
          summary: "Replaces all rules by path",
          parameters: [dryRun],
          requestBody: { required: true, ...json(ref("Policies")) },
          responses: found("The rules now, and what changed", ref("ChangedPolicies")),
        },
      },
      "/v1/policies/{name}": {
        delete: {
          operationId: "removePolicy",
          summary: "Takes a rule out",
          parameters: [{ ...id, name: "name", description: "Name of the rule" }, dryRun],
          responses: found("The rules now, and what changed", ref("ChangedPolicies")),
        },
      },
      "/v1/load": {
        post: {
          operationId: "alluxioLoad",
          summary: "As Alluxio has it",
          parameters: [
            query("path", "A path, or a URI that lies in a mount"),
            query("opType", "submit, progress or stop", { type: "string", enum: ["submit", "progress", "stop"] }),
            query("verify", "true or false"),
            query("bandwidth", "MiB a second"),
            query("replicas", "Copies"),
            query("loadMetadataOnly", "true or false"),
            query("skipIfExists", "true or false"),
            query("progressFormat", "JSON or TEXT"),
          ],
          responses: found("true, false or the progress", {}),
        },
      },
    },
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "The cluster token, where there is one" },
      },
      schemas: {
        PolicyRule: {
          type: "object",
          description:
            "Of ttl, pin and priority each, the first rule whose path matches and that says something of it decides; every quota counts",
          required: ["name", "path"],
          additionalProperties: false,
          properties: RULE,
        },
        Policies: {
          type: "object",
          required: ["rules"],
          properties: { rules: { type: "array", items: ref("PolicyRule") } },
        },
        ChangedPolicies: {
          type: "object",
          properties: {
            rules: { type: "array", items: ref("PolicyRule") },
            changes: {
              type: "array",
              items: {
                type: "object",
                description: "A rule before and after; of moved, the names in their order",
                properties: {
                  kind: { type: "string", enum: ["added", "removed", "changed", "moved"] },
                  before: {},
                  after: {},
                },
              },
            },
          },
        },
        Amount: { type: "object", properties: { objects: number("Objects"), bytes: number("Bytes") } },
        Job: { type: "object", properties: JOB },
        Submission: { type: "object", additionalProperties: false, properties: SUBMISSION },
        Submitted: { type: "object", properties: { ...JOB, created: flag("False where it was there already") } },
        Failed: {
          type: "object",
          properties: {
            failed: {
              type: "array",
              items: {
                type: "object",
                properties: {
                  path: text("Path"),
                  code: text("Of docs/errors.md"),
                  message: text("In words"),
                  worker: text("Who tried"),
                  atMs: number("Unix milliseconds"),
                },
              },
            },
            total: number("Entries altogether"),
            truncated: flag("More failed than there is room for"),
          },
        },
        Error: {
          type: "object",
          properties: { code: text("Of docs/errors.md"), message: text("In words"), remedy: text("What to do") },
        },
      },
    },
  };
}

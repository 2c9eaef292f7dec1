/**
 * The scheduler's HTTP door: jobs as JSON for scripts, Alluxio's `/v1/load` for its users' scripts, the OpenAPI document, health
 * and metrics. Any scheduler answers; those that stand by hand calls on to the one that leads.
 *
 * With a cluster token each call carries it; without one the door is as open as gRPC's, and only a page of another origin in
 * somebody's browser is kept out.
 */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  diffPolicies,
  isRinglightError,
  type MountRecord,
  type PolicyChange,
  parseBytes,
  parsePolicyRules,
  RinglightError,
  toRinglightError,
  writtenRule,
} from "@ringlight/core";
import { type Job, JobSpec, type ListFailedResponse } from "@ringlight/proto";
import { jobJson } from "@ringlight/rpc";
import type { JobCaller, JobCalls } from "./job-service.ts";
import type { ChangedPolicies, PolicyCalls } from "./policy-service.ts";
import { alluxioLoad } from "./rest-alluxio.ts";
import { openApi } from "./rest-openapi.ts";

/** Longest body: a manifest of 8 MiB as JSON, and the rest. */
const MAX_BODY_BYTES = 24 * 1024 * 1024;

/** Options of the door. */
export interface RestServerOptions {
  readonly token: string | undefined;
  readonly calls: JobCalls;
  readonly policies: PolicyCalls;
  readonly mounts: () => ReadonlyMap<string, MountRecord>;
  /** The metrics as Prometheus text. */
  readonly prometheus: (accept: string) => { readonly contentType: string; readonly body: string };
  readonly version: string;
}

/** What a request is answered with. */
export interface RestAnswer {
  readonly status?: number;
  readonly body: unknown;
}

/** Makes the server; the caller listens and closes. */
export function createRestServer(options: RestServerOptions): Server {
  const token = options.token === undefined ? undefined : Buffer.from(`Bearer ${options.token}`);
  return createServer((request, response) => {
    const left = new AbortController();
    response.once("close", () => left.abort(new RinglightError("RL_CANCELLED", "the client has left")));
    const { traceparent } = request.headers;
    const caller = { signal: left.signal, traceparent: Array.isArray(traceparent) ? traceparent[0] : traceparent };
    const url = new URL(request.url ?? "/", "http://localhost");
    if (url.pathname === "/metrics" && request.method === "GET") {
      const { contentType, body } = options.prometheus(request.headers.accept ?? "");
      response.writeHead(200, { "content-type": contentType }).end(body);
      return;
    }
    answer(options, token, request, url, caller).then(
      ({ status = 200, body }) => send(response, status, body),
      (error: unknown) => sendError(response, toRinglightError(error)),
    );
  });
}

/** Listens and returns the port. @throws RL_PORT_IN_USE, RL_BAD_CONFIG */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code === "EADDRINUSE" ? "RL_PORT_IN_USE" : "RL_BAD_CONFIG";
      reject(
        new RinglightError(code, `cannot listen on ${host}:${port} (restPort): ${error.message}`, { cause: error }),
      );
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function answer(
  options: RestServerOptions,
  token: Buffer | undefined,
  request: IncomingMessage,
  url: URL,
  caller: JobCaller,
): Promise<RestAnswer> {
  const { calls } = options;
  const method = request.method ?? "GET";
  const path = url.pathname.replace(/\/+$/, "");
  if (path === "/healthz") return { body: { status: "ok" } };
  if (path === "/openapi.json") return { body: openApi(options.version) };
  if (!path.startsWith("/v1/")) throw new RinglightError("RL_NOT_FOUND", `no such path: ${path}; see /openapi.json`);
  refuseForeignOrigin(request);
  if (token !== undefined && !sameText(request.headers.authorization, token)) {
    throw new RinglightError("RL_UNAUTHENTICATED", "the cluster token is missing or wrong");
  }
  if (path === "/v1/load") return alluxioLoad(calls, options.mounts(), method, url.searchParams, caller);
  if (path === "/v1/jobs" && method === "GET") {
    const limit = wholeNumber(url.searchParams.get("limit"), "limit");
    const { jobs } = await calls.listJobs({ states: url.searchParams.getAll("state"), limit }, caller);
    return { body: { jobs: jobs.map(jobJson) } };
  }
  if (path === "/v1/jobs" && method === "POST") {
    const { spec, manifest } = submission(await jsonBody(request));
    const submitted = await calls.submitJob({ spec, manifest: Buffer.from(manifest), retryOf: "" }, caller);
    return created(submitted);
  }
  if (path === "/v1/policies" || path.startsWith("/v1/policies/"))
    return policies(options.policies, method, path, url, request);
  const [, id = "", action = ""] = /^\/v1\/jobs\/([^/]+)(?:\/([a-z]+))?$/.exec(path) ?? [];
  if (id !== "" && action === "" && method === "GET") return { body: jobJson(await calls.getJob({ id }, caller)) };
  if (id !== "" && action === "failed" && method === "GET") {
    const offset = wholeNumber(url.searchParams.get("offset"), "offset");
    const limit = wholeNumber(url.searchParams.get("limit"), "limit");
    return { body: failedJson(await calls.listFailed({ id, offset, limit }, caller)) };
  }
  if (id !== "" && method === "POST") {
    if (action === "retry") {
      return created(await calls.submitJob({ spec: undefined, manifest: Buffer.alloc(0), retryOf: id }, caller));
    }
    if (["pause", "resume", "stop"].includes(action))
      return { body: jobJson(await calls.controlJob({ id, action }, caller)) };
  }
  throw new RinglightError("RL_NOT_FOUND", `no such call: ${method} ${path}; see /openapi.json`);
}

/** Rules by path: GET lists them, PUT replaces all, DELETE of one takes it out. */
async function policies(
  calls: PolicyCalls,
  method: string,
  path: string,
  url: URL,
  request: IncomingMessage,
): Promise<RestAnswer> {
  const dryRun = url.searchParams.get("dryRun") === "true";
  const name = decodeURIComponent(path.slice("/v1/policies/".length));
  if (name === "" && method === "GET") return { body: { rules: calls.list().map(writtenRule) } };
  if (name === "" && method === "PUT") {
    return { body: changedJson(await calls.apply(parsePolicyRules(await jsonBody(request)), dryRun)) };
  }
  if (name !== "" && method === "DELETE") return { body: changedJson(await calls.remove([name], dryRun)) };
  throw new RinglightError("RL_NOT_FOUND", `no such call: ${method} ${path}; see /openapi.json`);
}

function changedJson({ before, after }: ChangedPolicies) {
  return { rules: after.map(writtenRule), changes: diffPolicies(before, after).map(changeJson) };
}

function changeJson(change: PolicyChange) {
  if (change.kind === "moved") return change;
  return {
    kind: change.kind,
    ...("before" in change && { before: writtenRule(change.before) }),
    ...("after" in change && { after: writtenRule(change.after) }),
  };
}

function created({ job, created: isNew }: { readonly job: Job | undefined; readonly created: boolean }): RestAnswer {
  if (job === undefined) throw new RinglightError("RL_INTERNAL", "the answer lacks the job");
  return { status: isNew ? 201 : 200, body: { ...jobJson(job), created: isNew } };
}

function failedJson({ failed, total, truncated }: ListFailedResponse) {
  const entries = failed.map(({ workerId, atUnixMs, ...entry }) => ({ ...entry, worker: workerId, atMs: atUnixMs }));
  return { failed: entries, total, truncated };
}

const TEXTS = ["kind", "manifestPath", "target", "schedule"] as const;
const FLAGS = ["verify", "skipCached", "metadataOnly", "dryRun", "failOnPartial", "overwrite"] as const;
const NUMBERS = ["replicas", "concurrency", "priority"] as const;
const LISTS = ["paths", "columns"] as const;

/** The body of a submission. @throws RL_BAD_REQUEST naming the field */
function submission(body: unknown): { readonly spec: JobSpec; readonly manifest: string } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw bad("the body is not a JSON object");
  const fields = new Map(Object.entries(body));
  const take = <T>(name: string, isIt: (value: unknown) => value is T, what: string): T | undefined => {
    const value: unknown = fields.get(name);
    fields.delete(name);
    if (value === undefined || value === null) return undefined;
    if (!isIt(value)) throw bad(`${name} is not ${what}`);
    return value;
  };
  const isText = (value: unknown): value is string => typeof value === "string";
  const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  const isList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
  const isRate = (value: unknown): value is string | number => isText(value) || isCount(value);
  const rate = take("bandwidth", isRate, "a number of bytes a second or a text such as 200MiB/s") ?? 0;
  const spec = JobSpec.fromPartial({
    kind: "load",
    bytesPerSecond: typeof rate === "number" ? rate : parseBytes(rate.replace(/\/s$/i, "")),
    ...Object.fromEntries(
      [
        ...TEXTS.map((name) => [name, take(name, isText, "a string")]),
        ...FLAGS.map((name) => [name, take(name, isFlag, "true or false")]),
        ...NUMBERS.map((name) => [name, take(name, isCount, "a whole number")]),
        ...LISTS.map((name) => [name, take(name, isList, "a list of strings")]),
      ].filter(([, value]) => value !== undefined),
    ),
  });
  const manifest = take("manifest", isText, "a string with one path a line") ?? "";
  const [unknown] = fields.keys();
  if (unknown !== undefined) throw bad(`there is no field "${unknown}"`);
  return { spec, manifest };
}

const bad = (message: string) => new RinglightError("RL_BAD_REQUEST", message);

function wholeNumber(text: string | null, name: string): number {
  if (text === null || text === "") return 0;
  if (!/^\d{1,9}$/.test(text)) throw bad(`${name} is not a whole number`);
  return Number(text);
}

async function jsonBody(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    throw bad("the body must be JSON: send content-type: application/json");
  }
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > MAX_BODY_BYTES) throw bad(`the body is longer than ${MAX_BODY_BYTES} bytes`);
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString("utf8"));
  } catch {
    throw bad("the body is not JSON");
  }
}

/** Browsers say from which page a request comes; scripts do not. */
function refuseForeignOrigin({ headers }: IncomingMessage): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new RinglightError("RL_FORBIDDEN", "pages of other origins may not call this");
}

function sameText(given: string | undefined, expected: Buffer): boolean {
  const bytes = Buffer.from(given ?? "");
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

function sendError(response: ServerResponse, error: RinglightError): void {
  const code = isRinglightError(error) ? error.code : "RL_INTERNAL";
  send(response, error.info.http, { code, message: error.message, remedy: error.info.remedy });
}

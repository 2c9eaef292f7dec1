/** Explains a path, or finds the path of a read by its trace id or request id first. */
import { RinglightError } from "@ringlight/core";
import { callUnary } from "@ringlight/rpc";
import { keyHash } from "@ringlight/telemetry";
import type { TraceStore } from "@ringlight/trace-store";
import type { ExplainView, FoundRead } from "../wire-explain.ts";
import { askAll } from "./any-worker.ts";
import { fileDetail } from "./browse.ts";
import type { ClusterObserver } from "./cluster-observer.ts";

const ASK_DEADLINE_MS = 5_000;
const TRACES = 10;
/** Spans of a trace that are looked through for a path. */
const SPANS = 1_000;

/** A trace id, or its first half, which S3 answers carry as x-amz-request-id. */
const ID = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/i;

/** What is asked: a path or an id. */
export interface ExplainQuestion {
  readonly path?: string | undefined;
  readonly id?: string | undefined;
}

/** Answers the question. @throws RL_BAD_REQUEST, RL_NOT_FOUND, RL_NO_SUCH_MOUNT, RL_NO_WORKERS */
export async function explain(
  observer: ClusterObserver,
  traces: TraceStore,
  { path, id }: ExplainQuestion,
  signal: AbortSignal,
): Promise<ExplainView> {
  const found = id === undefined ? undefined : await findRead(observer, traces, id, signal);
  const wanted = found?.path ?? path;
  if (wanted === undefined || wanted === "") {
    throw new RinglightError("RL_BAD_REQUEST", "nothing to explain; give a path, a trace id or a request id");
  }
  const pathHash = keyHash(wanted);
  const [file, stored] = await Promise.all([
    fileDetail(observer, wanted, signal),
    traces.search({ pathHash, limit: TRACES }),
  ]);
  return { path: wanted, file, traces: stored.traces, pathHash, ...(found && { found: found.read }) };
}

/** Asks the workers, who remember their last reads, and the stored traces. @throws RL_BAD_REQUEST, RL_NOT_FOUND */
async function findRead(
  observer: ClusterObserver,
  traces: TraceStore,
  text: string,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly read: FoundRead }> {
  const id = text.trim().toLowerCase();
  if (!ID.test(id)) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `"${text}" is neither a trace id (32 hex digits) nor a request id (16); an answer carries them as Server-Timing and x-amz-request-id`,
    );
  }
  const remembered = await askAll(observer, (client) =>
    callUnary(client, "findRead", { id }, { deadlineMs: ASK_DEADLINE_MS, signal, idempotent: true }),
  ).catch(() => undefined);
  const known = remembered?.answers.find(({ value }) => value.path !== "");
  const traceId = known?.value.access?.traceId ?? (await traceIdOf(traces, id));
  const detail = traceId === undefined ? undefined : await traces.detail(traceId, 0, SPANS);
  const path =
    known?.value.path ??
    detail?.spans.map(({ attributes }) => attributes["ringlight.path"]).find((value) => typeof value === "string");
  if (traceId === undefined || path === undefined) {
    throw new RinglightError(
      "RL_NOT_FOUND",
      `no worker remembers ${text}, and no trace of it is stored: fast hits are remembered for the last reads of an object only`,
    );
  }
  const access = known?.value.access;
  return {
    path,
    read: {
      id: text,
      traceId,
      traced: detail !== undefined,
      ...(access && known && { access: { ...access, workerId: known.id, atMs: access.atUnixMs } }),
    },
  };
}

/** The trace of a request id; a request in a caller's own trace has an id of its own, which stands on its span. */
async function traceIdOf(traces: TraceStore, id: string): Promise<string | undefined> {
  if (id.length === 32) return id;
  const { traces: found } = await traces.search({
    attributes: [{ key: "aws.request_id", value: id.toUpperCase() }],
    limit: 1,
  });
  return found[0]?.traceId;
}

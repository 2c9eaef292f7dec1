/**
 * The one door of the console. OTLP is answered here, before Next sees it: it comes often and must not cost a page's time.
 * Everything else goes to the pages and their routes, which are traced; what is received as telemetry is not.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

import { RinglightError } from "@ringlight/core";
import {
  acceptsOpenMetrics,
  isKept,
  type MetricRegistry,
  newTraceContext,
  OPENMETRICS_CONTENT_TYPE,
  PROMETHEUS_CONTENT_TYPE,
  recordSpan,
  renderPrometheus,
} from "@ringlight/telemetry";

import { type ReceiverAnswer, receive, signalOf, type TraceStore } from "@ringlight/trace-store";
import { CALLER_HEADERS } from "./caller.ts";
import { type Login, refuse, remoteOf } from "./login.ts";
import type { Sessions } from "./sessions.ts";

/** What the door stands in front of. */
export interface FrontDoorOptions {
  readonly token: string | undefined;
  readonly store: TraceStore;
  readonly login: Login;
  readonly sessions: Sessions;
  /** Of this process, for Prometheus. */
  readonly metrics: MetricRegistry;
  readonly pages: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

const BODY_TIMEOUT_MS = 30_000;

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Whether a request may send telemetry: with the cluster's token; where there is no log-in also without any. */
function maySend(request: IncomingMessage, token: string | undefined, required: boolean): boolean {
  if (token === undefined) return !required;
  const { authorization } = request.headers;
  if (authorization === undefined) return !required;
  return timingSafeEqual(digest(authorization), digest(`Bearer ${token}`));
}

/** Answers every request of the console's port. */
export function frontDoor({ token, store, login, sessions, metrics, pages }: FrontDoorOptions): RequestListener {
  const telemetry = async (request: IncomingMessage, response: ServerResponse, path: string) => {
    const signal = signalOf(path);
    if (signal === undefined)
      return send(response, plain(404, "OTLP is received at /v1/traces, /v1/metrics and /v1/logs"));
    if (!maySend(request, token, login.required)) {
      const answer = plain(401, "send the cluster token as `authorization: Bearer <token>`");
      return send(response, { ...answer, headers: { ...answer.headers, "www-authenticate": "Bearer" } });
    }
    request.setTimeout(BODY_TIMEOUT_MS, () => request.destroy());
    send(
      response,
      await receive(store, { method: request.method ?? "", signal, headers: request.headers, body: request }),
    );
  };
  /** Whether a request may go on to the pages; where not, it is answered. */
  const admits = async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> => {
    // What a client sends under these names says nothing.
    for (const name of Object.values(CALLER_HEADERS)) delete request.headers[name];
    if (OPEN.test(url.pathname)) return true;
    const found = await login.callerOf(request);
    if (found === undefined) {
      if (url.pathname.startsWith("/api/")) {
        refuse(response, new RinglightError("RL_UNAUTHENTICATED", "log in first, at /login"));
      } else {
        const next = encodeURIComponent(url.pathname + url.search);
        response.writeHead(303, { location: `/login?next=${next}`, "cache-control": "no-store" }).end();
      }
      return false;
    }
    const { caller, session } = found;
    const reads = request.method === "GET" || request.method === "HEAD";
    if (!reads && session !== undefined) {
      const csrf = request.headers["x-ringlight-csrf"];
      const own = typeof csrf === "string" && sessions.isCsrf(session, csrf);
      if (!own || caller.role !== "operator") {
        const why = own
          ? "viewers change nothing; log in as an operator"
          : "x-ringlight-csrf is not that of the session";
        login.refused(request, caller, url.pathname, why);
        refuse(response, new RinglightError("RL_FORBIDDEN", why));
        return false;
      }
    }
    request.headers[CALLER_HEADERS.user] = caller.user;
    request.headers[CALLER_HEADERS.role] = caller.role;
    request.headers[CALLER_HEADERS.remote] = remoteOf(request);
    return true;
  };
  return (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0]!;
    if (path === "/metrics" && request.method === "GET") {
      const openMetrics = acceptsOpenMetrics(request.headers.accept);
      response.writeHead(200, { "content-type": openMetrics ? OPENMETRICS_CONTENT_TYPE : PROMETHEUS_CONTENT_TYPE });
      response.end(renderPrometheus(metrics, { openMetrics }));
      return;
    }
    const answered = path.startsWith("/v1/")
      ? telemetry(request, response, path)
      : traced(request, response, path, async () => {
          const url = new URL(request.url ?? "/", "http://console");
          if (await login.answer(request, response, url)) return;
          if (await admits(request, response, url)) await pages(request, response);
        });
    answered.catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
      response.end(error instanceof Error ? error.message : String(error));
    });
  };
}

/** What is served without a log-in: the build's own files, and whether the console lives. */
const OPEN = /^\/(_next\/static\/|icon\.svg$|favicon\.ico$)|^\/api\/healthz$/;

/** Paths whose time says nothing: streams last as long as a page is open, and files of the build come from memory. */
const UNTRACED = /^\/(_next|icon|favicon)|\/live$|^\/api\/(events|healthz)/;

/** Makes a span of a request once it is answered, where it was slow or failed. */
async function traced(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  work: () => Promise<void>,
): Promise<void> {
  if (UNTRACED.test(path)) return work();
  const { traceparent } = request.headers;
  const context = newTraceContext(typeof traceparent === "string" ? traceparent : undefined);
  const startMs = performance.timeOrigin + performance.now();
  response.setHeader("traceresponse", `00-${context.traceId}-${context.spanId}-01`);
  response.once("close", () => {
    const endMs = performance.timeOrigin + performance.now();
    const failed = response.statusCode >= 500;
    if (!isKept({ durationMs: endMs - startMs, failed, missed: false, sampled: false })) return;
    // The route, not the path: a path may be a secret, and each would be a name of its own.
    const route = path
      .split("/")
      .slice(0, path.startsWith("/api/") ? 3 : 2)
      .join("/");
    recordSpan({
      context,
      name: `${request.method ?? "GET"} ${route}`,
      kind: "server",
      startMs,
      endMs,
      attributes: {
        "http.request.method": request.method ?? "GET",
        "http.route": route,
        "http.response.status_code": response.statusCode,
      },
      ...(failed ? { error: new Error(`status ${response.statusCode}`) } : {}),
    });
  });
  await work();
}

function plain(status: number, message: string): ReceiverAnswer {
  return { status, headers: { "content-type": "application/json" }, body: Buffer.from(JSON.stringify({ message })) };
}

function send(response: ServerResponse, { status, headers, body }: ReceiverAnswer): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, "content-length": body.byteLength });
  response.end(body);
}

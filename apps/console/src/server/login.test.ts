import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MetricRegistry } from "@ringlight/telemetry";
import type { TraceStore } from "@ringlight/trace-store";
import { AuditLog } from "./audit-log.ts";
import { CALLER_HEADERS } from "./caller.ts";
import { frontDoor } from "./front-door.ts";
import { Login } from "./login.ts";
import { Sessions } from "./sessions.ts";

const TOKEN = "the-cluster-token";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A door with log-in, behind which a page tells who asked. */
async function open(context: TestContext, required = true) {
  const directory = mkdtempSync(join(tmpdir(), "login-"));
  const audit = new AuditLog(directory);
  const keys = new Map([
    ["AKFULL", { secretAccessKey: "s1", disabled: false, limited: false }],
    ["AKVIEW", { secretAccessKey: "s2", disabled: false, limited: true }],
    ["AKOFF", { secretAccessKey: "s3", disabled: true, limited: false }],
  ]);
  const sessions = new Sessions(TOKEN);
  const login = new Login({ required, sessions, token: TOKEN, audit, findKey: async (id) => keys.get(id) });
  const pages = async (request: { headers: Record<string, unknown> }, response: { end(text: string): void }) => {
    response.end(JSON.stringify([request.headers[CALLER_HEADERS.user], request.headers[CALLER_HEADERS.role]]));
  };
  const store = { ingest: async () => ({ accepted: 0, rejected: 0, message: "" }) } as unknown as TraceStore;
  const door = frontDoor({
    token: TOKEN,
    store,
    login,
    sessions,
    metrics: new MetricRegistry(),
    pages: pages as never,
  });
  const server = createServer(door);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(directory, { recursive: true, force: true });
  });
  const { port } = server.address() as { port: number };
  const host = `127.0.0.1:${port}`;
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = httpRequest({ host: "127.0.0.1", port, path, method, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      });
      sent.on("error", reject).end(body);
    });
  const from = { origin: `http://${host}`, "content-type": "application/json" };
  const logIn = async (body: unknown, headers: Record<string, string> = from) => {
    const answer = await ask("POST", "/api/session", headers, JSON.stringify(body));
    const [cookie] = (answer.headers["set-cookie"] ?? []) as string[];
    return { ...answer, cookie: cookie?.split(";")[0] ?? "", attributes: cookie ?? "" };
  };
  return { ask, logIn, audit, from, host, keys };
}

test("without a session pages lead to the log-in, routes answer 401, and only what the log-in needs is served", async (context) => {
  const { ask } = await open(context);
  const page = await ask("GET", "/ring?x=1", { accept: "text/html" });
  assert.deepEqual([page.status, page.headers.location], [303, "/login?next=%2Fring%3Fx%3D1"]);
  assert.equal((await ask("GET", "/api/cluster")).status, 401);
  assert.equal((await ask("POST", "/api/mounts", {}, "{}")).status, 401);
  assert.equal((await ask("GET", "/api/healthz")).status, 200);
  assert.match((await ask("GET", "/login?next=//evil.example")).body, /name="next" value="\/"/);
  assert.equal(
    (await ask("GET", "/api/cluster", { [CALLER_HEADERS.user]: "me", [CALLER_HEADERS.role]: "operator" })).status,
    401,
  );
});

test("the token makes an operator, a key without a policy too, a key with one a viewer, a disabled one nobody", async (context) => {
  const { ask, logIn, audit, keys } = await open(context);
  const roleOf = async (cookie: string) => JSON.parse((await ask("GET", "/api/cluster", { cookie })).body) as string[];
  const token = await logIn({ token: TOKEN });
  assert.match(token.attributes, /HttpOnly; SameSite=Strict/);
  assert.deepEqual(await roleOf(token.cookie), ["cluster-token", "operator"]);
  assert.deepEqual(await roleOf((await logIn({ accessKeyId: "AKFULL", secretAccessKey: "s1" })).cookie), [
    "AKFULL",
    "operator",
  ]);
  const viewer = await logIn({ accessKeyId: "AKVIEW", secretAccessKey: "s2" });
  assert.deepEqual(await roleOf(viewer.cookie), ["AKVIEW", "viewer"]);
  assert.equal((await logIn({ accessKeyId: "AKOFF", secretAccessKey: "s3" })).status, 401);
  assert.equal((await logIn({ token: "wrong" })).status, 401);
  assert.deepEqual(
    audit.page({}).entries.map(({ user, outcome, role }) => `${user} ${outcome} ${role}`),
    [
      "cluster-token refused none",
      "AKOFF refused none",
      "AKVIEW ok viewer",
      "AKFULL ok operator",
      "cluster-token ok operator",
    ],
  );
  assert.ok(keys.delete("AKVIEW"));
});

test("a change without the session's CSRF token is refused, and a viewer's with it too", async (context) => {
  const { ask, logIn, from } = await open(context);
  const { cookie } = await logIn({ token: TOKEN });
  const { csrf, role } = JSON.parse((await ask("GET", "/api/session", { cookie })).body) as {
    csrf: string;
    role: string;
  };
  assert.equal(role, "operator");
  assert.equal((await ask("POST", "/api/mounts", { ...from, cookie }, "{}")).status, 403);
  assert.equal((await ask("POST", "/api/mounts", { ...from, cookie, "x-ringlight-csrf": "no" }, "{}")).status, 403);
  assert.equal((await ask("POST", "/api/mounts", { ...from, cookie, "x-ringlight-csrf": csrf }, "{}")).status, 200);
  const viewer = await logIn({ accessKeyId: "AKVIEW", secretAccessKey: "s2" });
  const own = JSON.parse((await ask("GET", "/api/session", { cookie: viewer.cookie })).body) as { csrf: string };
  const refused = await ask(
    "POST",
    "/api/mounts",
    { ...from, cookie: viewer.cookie, "x-ringlight-csrf": own.csrf },
    "{}",
  );
  assert.deepEqual([refused.status, JSON.parse(refused.body).code], [403, "RL_FORBIDDEN"]);
});

test("a log-in from another site's page is refused, and the sixth wrong one of a minute waits", async (context) => {
  const { ask, logIn, from } = await open(context);
  assert.equal((await logIn({ token: TOKEN }, { ...from, origin: "http://evil.example" })).status, 403);
  for (let time = 0; time < 5; time++) assert.equal((await logIn({ token: "wrong" })).status, 401);
  const waits = await logIn({ token: TOKEN });
  assert.deepEqual([waits.status, waits.headers["retry-after"]], [429, "60"]);
  const form = { ...from, "content-type": "application/x-www-form-urlencoded" };
  const page = await ask("POST", "/login", form, `token=${TOKEN}`);
  assert.equal(page.status, 429);
  assert.match(page.body, /role="alert"[^>]*>too many log-ins failed/);
});

test("logging out ends the session; the form works without scripts", async (context) => {
  const { ask, from, host } = await open(context);
  const form = { origin: `http://${host}`, "content-type": "application/x-www-form-urlencoded" };
  const wrong = await ask("POST", "/login", form, "token=wrong&next=%2Ftraces");
  assert.match(wrong.body, /name="next" value="\/traces"/);
  const answer = await ask("POST", "/login", form, `token=${TOKEN}&next=%2Ftraces`);
  assert.deepEqual([answer.status, answer.headers.location], [303, "/traces"]);
  const cookie = (answer.headers["set-cookie"] as string[])[0]!.split(";")[0]!;
  const { csrf } = JSON.parse((await ask("GET", "/api/session", { cookie })).body) as { csrf: string };
  assert.equal((await ask("DELETE", "/api/session", { ...from, cookie })).status, 403);
  assert.equal((await ask("DELETE", "/api/session", { ...from, cookie, "x-ringlight-csrf": csrf })).status, 200);
  assert.equal((await ask("GET", "/api/cluster", { cookie })).status, 401);
});

test("telemetry needs the cluster token where the console is reached from elsewhere", async (context) => {
  const { ask } = await open(context);
  const headers = { "content-type": "application/json" };
  assert.equal((await ask("POST", "/v1/traces", headers, "{}")).status, 401);
  assert.equal((await ask("POST", "/v1/traces", { ...headers, authorization: "Bearer wrong" }, "{}")).status, 401);
  assert.equal((await ask("POST", "/v1/traces", { ...headers, authorization: `Bearer ${TOKEN}` }, "{}")).status, 200);
});

test("a command line looks with the cluster token of its header, and changes nothing by it", async (context) => {
  const { ask } = await open(context);
  const authorization = `Bearer ${TOKEN}`;
  assert.deepEqual(JSON.parse((await ask("GET", "/api/traces", { authorization })).body), ["cluster-token", "viewer"]);
  assert.equal((await ask("GET", "/api/traces", { authorization: "Bearer wrong" })).status, 401);
  assert.equal((await ask("POST", "/api/mounts", { authorization }, "{}")).status, 401);
});

test("on loopback everybody is an operator, and telemetry comes without a token", async (context) => {
  const { ask } = await open(context, false);
  assert.deepEqual(JSON.parse((await ask("GET", "/api/cluster")).body), ["local", "operator"]);
  assert.deepEqual(JSON.parse((await ask("GET", "/api/session")).body), {
    loginRequired: false,
    loggedIn: true,
    user: "local",
    role: "operator",
    csrf: "",
  });
  assert.equal((await ask("POST", "/v1/logs", { "content-type": "application/json" }, "{}")).status, 200);
});

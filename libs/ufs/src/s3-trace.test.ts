import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { openUfs } from "./index.ts";

test("requests carry the trace that is going on, outside of their signature", async () => {
  const received: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    received.push(request.headers);
    response.writeHead(200, { etag: '"v1"', "content-length": 0, "last-modified": new Date(0).toUTCString() }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const mount = {
    uri: "s3://bucket",
    options: { endpoint: `http://127.0.0.1:${port}`, "trace-context": "true" },
    credentials: { kind: "env", prefix: "T" },
  } as const;
  const env = { T_ACCESS_KEY_ID: "key", T_SECRET_ACCESS_KEY: "secret" };
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const traced = await openUfs(mount, { env, traceHeaders: () => ({ traceparent, tracestate: "a=1" }) });
  const plain = await openUfs(mount, { env });
  try {
    await traced.head("key");
    await plain.head("key");
  } finally {
    await Promise.all([traced.close(), plain.close()]);
    server.closeAllConnections();
    server.close();
  }
  assert.deepEqual([received[0]?.traceparent, received[0]?.tracestate], [traceparent, "a=1"]);
  assert.doesNotMatch(received[0]?.authorization ?? "trace", /trace/);
  assert.equal(received[1]?.traceparent, undefined);
});

/** TLS on the same connections: a certificate for tests alone, of a key that is worth nothing. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createServer } from "node:tls";
import { HttpBody } from "./http-body.ts";
import { Http1Pool } from "./http1-pool.ts";

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgn1z4x5a3dr2kUKv6
qjtYKlPupkNd/lP4U4qy7HsE7XGhRANCAASC0QU/D4i+whfSuNd+GR3si9GvH95e
/cjguvvsC/OHYQll+8eY/dNsEF37Kbdx+jIhqk767gM/3sAzNepmAnks
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUVQiLQ1N3S6Dxw08ipF1yMJwL6HkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzAwNDQzN1oYDzIxMjYxMDMw
MDA0NDM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASC0QU/D4i+whfSuNd+GR3si9GvH95e/cjguvvsC/OHYQll+8eY/dNs
EF37Kbdx+jIhqk767gM/3sAzNepmAnkso28wbTAdBgNVHQ4EFgQUmmvyRN08/NRC
7LtzhwOxVD8s6dcwHwYDVR0jBBgwFoAUmmvyRN08/NRC7LtzhwOxVD8s6dcwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgNECzS7u96FJCK3ttfiFsYM/g8qS7lJONwc0UvlTOwJ4CIQCD
sYj5IFEEy6CbeJzjdgCkUmh4aNzwUMTDuKjCayQBuQ==
-----END CERTIFICATE-----`;

test("the same client speaks TLS: bytes land in memory, connections are kept, and an unknown certificate is refused", async () => {
  const bytes = Buffer.alloc(2_000_000, "0123456789abcdef");
  let connections = 0;
  const server = createServer({ key: KEY, cert: CERTIFICATE }, (socket) => {
    connections++;
    socket.on("error", () => undefined);
    socket.on("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const lookup = () => assert.fail("an address needs no look-up");
  const target = { hostname: "127.0.0.1", port, secure: true, lookup, maxIdle: 4 };
  const { signal } = new AbortController();
  const head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const pool = new Http1Pool({ ...target, tls: { ca: CERTIFICATE } });
  for (let round = 0; round < 3; round++) {
    const memory = Buffer.alloc(bytes.length);
    let at = 0;
    const response = await pool.exchange(head, false, 5000, signal);
    const how = await new Promise((resolve) =>
      response.receive({
        space: () => memory.subarray(at),
        advance: (length) => {
          at += length;
        },
        ended: resolve,
      }),
    );
    assert.equal(how, "end");
    assert.ok(memory.equals(bytes));
  }
  const body = new HttpBody(await pool.exchange(head, false, 5000, signal), 5000);
  let pulled = 0;
  for (let piece = await body.next(); piece !== "end"; piece = await body.next()) pulled += piece.length;
  assert.equal(pulled, bytes.length);
  assert.equal(connections, 1);
  pool.close();
  const stranger = new Http1Pool(target);
  await assert.rejects(stranger.exchange(head, false, 5000, signal), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  stranger.close();
  await new Promise((resolve) => server.close(resolve));
});

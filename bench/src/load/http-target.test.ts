import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { after, describe, it } from "node:test";
import { startS3Origin } from "@ringlight/testing";
import { get, type PlannedRequest } from "../workloads/plan.ts";
import { HttpTarget } from "./http-target.ts";
import type { Answer } from "./target.ts";

const closers: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function targetOf(url: string, connections = 4): HttpTarget {
  const target = new HttpTarget({ address: { label: "t", url }, connections });
  closers.push(() => target.close());
  return target;
}

function ask(target: HttpTarget, request: PlannedRequest): Promise<Answer> {
  return new Promise((resolve) => target.perform(request, resolve));
}

describe("the HTTP target", () => {
  it("reads, asks, lists and writes at an S3 store, signed, and counts the bytes of bodies", async () => {
    const origin = await startS3Origin({ verifySignatures: true });
    closers.push(() => origin.close());
    origin.putObject("bench", "dir/a key+.bin", { sizeBytes: 3_000_000, seed: 1 });
    const { accessKeyId, secretAccessKey } = origin;
    const target = new HttpTarget({
      address: { label: "s3", url: `${origin.endpoint}/bench/dir`, credentials: { accessKeyId, secretAccessKey } },
      connections: 2,
    });
    closers.push(() => target.close());
    const whole = await ask(target, get("a key+.bin"));
    assert.deepEqual([whole.ok, whole.bytes, whole.error], [true, 3_000_000, ""]);
    const range = await ask(target, get("a key+.bin", 1000, 4096));
    assert.deepEqual([range.ok, range.bytes], [true, 4096]);
    assert.equal((await ask(target, { op: "head", key: "a key+.bin", offset: 0, length: 0 })).ok, true);
    const listed = await ask(target, { op: "list", key: "", offset: 0, length: 0 });
    assert.ok(listed.ok && listed.bytes > 200, listed.error);
    const put = await ask(target, { op: "put", key: "new", offset: 0, length: 5000 });
    assert.deepEqual([put.ok, put.bytes, origin.object("bench", "dir/new")?.sizeBytes], [true, 5000, 5000]);
    const missing = await ask(target, get("nothing"));
    assert.deepEqual([missing.ok, missing.bytes, missing.error], [false, 0, "GET nothing: status 404"]);
  });

  it("takes a range that came short, and a whole object in place of a range, for failures", async () => {
    const url = await listening(createServer((_request, response) => response.end("x".repeat(100))));
    const answer = await ask(targetOf(`${url}/b`), get("k", 0, 50));
    assert.match(answer.error, /100 bytes came/);
  });

  it("understands answers in any pieces, and without a length", async () => {
    const pieces = ["HTTP/1.1 206 Partial Content\r\ncont", "ent-length: 10\r\n\r", "\n01234", "56789"];
    const sockets: Socket[] = [];
    let count = 0;
    const url = await listening(
      createTcpServer((socket) => {
        sockets.push(socket);
        socket.setNoDelay(true);
        socket.on("data", () => {
          if (count++ > 0) {
            socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r");
            setImmediate(() => socket.write("\n\r\n"));
            return;
          }
          const next = () => {
            const piece = pieces.shift();
            if (piece !== undefined) socket.write(piece, () => setImmediate(next));
          };
          next();
        });
      }),
    );
    const target = targetOf(`${url}/b`, 1);
    const first = await ask(target, get("k", 0, 10));
    assert.deepEqual([first.ok, first.bytes, first.error], [true, 10, ""]);
    const second = await ask(target, { op: "list", key: "", offset: 0, length: 0 });
    assert.equal(second.error, "");
    assert.equal(sockets.length, 1, "one connection for both");
    for (const socket of sockets) socket.destroy();
  });

  it("asks again on a fresh connection when a kept one was closed, and reports what is cut in the middle", async () => {
    let requests = 0;
    const url = await listening(
      createTcpServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", () => {
          requests++;
          if (requests === 1) {
            // Closes without saying so before.
            socket.write("HTTP/1.1 206 Partial Content\r\ncontent-length: 4\r\n\r\nabcd", () => socket.destroy());
          } else if (requests === 2) socket.write("HTTP/1.1 206 Partial Content\r\ncontent-length: 4\r\n\r\nabcd");
          else socket.write("HTTP/1.1 206 Partial Content\r\ncontent-length: 4\r\n\r\nab", () => socket.destroy());
        });
      }),
    );
    const target = targetOf(`${url}/b`, 1);
    assert.equal((await ask(target, get("k", 0, 4))).ok, true);
    assert.equal((await ask(target, get("k", 0, 4))).ok, true);
    const cut = await ask(target, get("k", 0, 4));
    assert.match(cut.error, /closed before the answer was whole/);
  });

  it("keeps to its connections, and counts the wait for one as latency", async () => {
    let open = 0;
    let most = 0;
    const url = await listening(
      createServer((_request, response) => {
        most = Math.max(most, ++open);
        setImmediate(() => {
          open--;
          response.writeHead(206, { "content-length": 4 }).end("abcd");
        });
      }),
    );
    const target = targetOf(`${url}/b`, 3);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(target, get("k", 0, 4))));
    assert.ok(answers.every(({ ok }) => ok));
    assert.ok(most <= 3, `${most} at once`);
  });
});

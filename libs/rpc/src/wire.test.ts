/** The server's side of the wire, seen by a plain HTTP/2 client: what any gRPC client may send and must get. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { ReadRequest, ReadResponse, WorkerServiceClient, WorkerServiceService } from "@ringlight/proto";
import { callStream, connectGrpc, EncodedMessage, serverStream, startGrpcServer, unary } from "./index.ts";

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

const MIB = 1024 * 1024;
const page = Buffer.alloc(MIB, "a page of bytes ");

/** Field 2 of ReadResponse, by hand. */
function encodedData(data: Buffer, onSent?: () => void): EncodedMessage {
  const header = Buffer.from([
    0x12,
    (data.length & 0x7f) | 0x80,
    ((data.length >> 7) & 0x7f) | 0x80,
    data.length >> 14,
  ]);
  return new EncodedMessage([header, data], onSent);
}

async function serve(onSent?: () => void): Promise<number> {
  const implementation = {
    read: serverStream<ReadRequest, ReadResponse>(async function* (request) {
      for (let at = 0; at < request.length; at++) yield encodedData(page, onSent);
    }),
    stat: unary(async ({ path }: { path: string }) => ({ path })),
  };
  // biome-ignore lint/suspicious/noExplicitAny: two of the service's methods are enough here
  const services = [[WorkerServiceService, implementation as any]] as const;
  const server = await startGrpcServer({ bind: "127.0.0.1", port: 0, services });
  closers.push(() => server.close(0));
  return server.port;
}

async function session(port: number): Promise<ClientHttp2Session> {
  const client = connect(`http://127.0.0.1:${port}`);
  closers.push(() => client.close());
  await once(client, "connect");
  return client;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function call(client: ClientHttp2Session, headers: Record<string, string>, body: Buffer): Promise<Answer> {
  const stream = client.request({
    ":method": "POST",
    ":path": "/ringlight.v1.WorkerService/Read",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let trailers: IncomingHttpHeaders = {};
  stream.on("trailers", (sent: IncomingHttpHeaders) => {
    trailers = sent;
  });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.end(body);
  const [answered] = (await once(stream, "response")) as [IncomingHttpHeaders];
  if (!stream.closed) await once(stream, "close");
  return { headers: answered, trailers, body: Buffer.concat(chunks) };
}

function message(bytes: Uint8Array, isCompressed = false): Buffer {
  const prefix = Buffer.from([isCompressed ? 1 : 0, 0, 0, 0, 0]);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

const ask = (length: number) => ReadRequest.encode(ReadRequest.create({ length })).finish();

describe("the wire", () => {
  it("carries pre-encoded messages as any other message, and gives their memory back", async () => {
    let sent = 0;
    const port = await serve(() => sent++);
    const { headers, trailers, body } = await call(await session(port), {}, message(ask(3)));
    assert.equal(headers[":status"], 200);
    assert.equal(headers["content-type"], "application/grpc+proto");
    assert.equal(trailers["grpc-status"], "0");
    let at = 0;
    for (let count = 0; count < 3; count++) {
      assert.equal(body[at], 0);
      const length = body.readUInt32BE(at + 1);
      const decoded = ReadResponse.decode(body.subarray(at + 5, at + 5 + length));
      assert.equal(decoded.data.equals(page), true);
      at += 5 + length;
    }
    assert.equal(at, body.length);
    assert.equal(sent, 3);
    const client = connectGrpc(WorkerServiceClient, `127.0.0.1:${port}`);
    closers.push(() => client.close());
    let bytes = 0;
    for await (const next of callStream(client, "read", ReadRequest.create({ length: 20 }))) {
      assert.equal(next.data.equals(page), true);
      bytes += next.data.length;
    }
    assert.equal(bytes, 20 * MIB);
  });

  it("takes messages in pieces and compressed", async () => {
    const client = await session(await serve());
    const packed = await call(client, { "grpc-encoding": "gzip" }, message(gzipSync(ask(1)), true));
    assert.equal(packed.trailers["grpc-status"], "0");
    assert.equal(packed.body.length, 5 + 4 + page.length);
    const unknown = await call(client, { "grpc-encoding": "snappy" }, message(ask(1), true));
    assert.equal(unknown.headers["grpc-status"], "12");
    const damaged = await call(client, { "grpc-encoding": "gzip" }, message(ask(1), true));
    assert.equal(damaged.headers["grpc-status"], "13");
  });

  it("refuses what is no gRPC, no method, no message, two messages, no type of the method and no timeout", async () => {
    const client = await session(await serve());
    assert.equal((await call(client, { "content-type": "text/plain" }, message(ask(1)))).headers[":status"], 415);
    const status = async (headers: Record<string, string>, body: Buffer) =>
      (await call(client, headers, body)).headers["grpc-status"];
    assert.equal(await status({ ":path": "/ringlight.v1.WorkerService/Nothing" }, message(ask(1))), "12");
    assert.equal(await status({}, Buffer.alloc(0)), "12");
    assert.equal(await status({}, Buffer.concat([message(ask(1)), message(ask(1))])), "12");
    assert.equal(await status({}, message(ask(1)).subarray(0, 6)), "13");
    assert.equal(await status({}, message(Buffer.from([0xff, 0xff, 0xff]))), "13");
    assert.equal(await status({ "grpc-timeout": "soon" }, message(ask(1))), "13");
    assert.equal(await status({ "grpc-timeout": "5S" }, message(ask(1))), undefined);
  });

  it("refuses a request above the limit without taking all of it", async () => {
    const client = await session(await serve());
    const answer = await call(client, {}, message(Buffer.alloc(65 * MIB)));
    assert.equal(answer.headers["grpc-status"], "8");
  });

  it("outlives callers that reset their streams and vanish", async () => {
    const port = await serve();
    const client = await session(port);
    for (let count = 0; count < 20; count++) {
      const stream = client.request({
        ":method": "POST",
        ":path": "/ringlight.v1.WorkerService/Read",
        "content-type": "application/grpc",
      });
      stream.on("error", () => {});
      stream.end(message(ask(1000)));
      await once(stream, "response");
      stream.close(8);
    }
    const vanishing = await session(port);
    const stream = vanishing.request({
      ":method": "POST",
      ":path": "/ringlight.v1.WorkerService/Read",
      "content-type": "application/grpc",
    });
    stream.on("error", () => {});
    stream.end(message(ask(1000)));
    await once(stream, "response");
    vanishing.destroy();
    assert.equal((await call(await session(port), {}, message(ask(1)))).trailers["grpc-status"], "0");
  });
});

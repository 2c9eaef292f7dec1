/**
 * A real server with the handler on a memory backend, and ways to ask it: what the tests of this package share. It listens
 * behind the door, as a worker does, or with RL_S3_FRONT=http behind node:http alone (see http-front.test.ts).
 */
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { S3Client } from "@aws-sdk/client-s3";
import { type Credentials, signRequest } from "@ringlight/sigv4";
import { createS3Handler, type RequestDone, S3Door, type S3HandlerOptions } from "./index.ts";
import { MemoryBackend } from "./memory-backend.ts";

/** The key pair that the test server knows. */
export const TEST_CREDENTIALS: Credentials = { accessKeyId: "RLTESTKEY", secretAccessKey: "rl-test-secret" };
/** The region that the test server wants. */
export const TEST_REGION = "us-east-1";

/** An answer read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Code of an error document. */
  readonly code: string | undefined;
}

/** How to ask. */
export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** False sends no signature; default true. */
  readonly signed?: boolean;
}

/** A running server. */
export interface TestServer {
  readonly port: number;
  readonly backend: MemoryBackend;
  readonly sdk: S3Client;
  /** What onRequest was told, in order. */
  readonly done: RequestDone[];
  /** Failures that onError was told. */
  readonly failures: unknown[];
  ask(rawUrl: string, ask?: Ask): Promise<Answer>;
  /** Sends bytes over a connection of its own and gives everything that came back until it closed. */
  raw(text: string): Promise<string>;
  close(): Promise<void>;
}

/** Starts a server on a free loopback port. */
export async function startTestServer(
  options: Partial<S3HandlerOptions> = {},
  backend: MemoryBackend = new MemoryBackend(),
  front: string = process.env.RL_S3_FRONT ?? "door",
): Promise<TestServer> {
  const done: RequestDone[] = [];
  const failures: unknown[] = [];
  const handler = createS3Handler({
    backend,
    credentials: (id) => (id === TEST_CREDENTIALS.accessKeyId ? TEST_CREDENTIALS : undefined),
    region: TEST_REGION,
    onRequest: (one) => done.push(one),
    onError: (error) => failures.push(error),
    ...options,
  });
  const httpServer = createServer({ keepAliveTimeout: 1000 }, handler);
  httpServer.on("checkContinue", handler);
  const timeouts = { keepAliveTimeoutMs: 1000, headTimeoutMs: 30_000, stallTimeoutMs: 60_000 };
  const door = front === "http" ? undefined : new S3Door({ httpServer, handler, ...timeouts });
  const server = door?.server ?? httpServer;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sdk = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: TEST_REGION,
    forcePathStyle: true,
    credentials: { ...TEST_CREDENTIALS },
    maxAttempts: 1,
  });

  function ask(rawUrl: string, { method = "GET", headers = {}, body, signed = true }: Ask = {}): Promise<Answer> {
    const host = headers.host ?? `127.0.0.1:${port}`;
    const all = signed
      ? signRequest(
          { method, url: { host, rawUrl }, headers },
          { credentials: TEST_CREDENTIALS, region: TEST_REGION, payloadHash: "UNSIGNED-PAYLOAD" },
        )
      : headers;
    return new Promise((resolve, reject) => {
      const req = httpRequest({ host: "127.0.0.1", port, method, path: rawUrl, headers: all, agent: false }, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const code = /<Code>(.*?)<\/Code>/.exec(bytes.toString())?.[1];
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: bytes, code });
        });
      });
      req.on("error", reject);
      req.end(body);
    });
  }

  function raw(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(text, "latin1")));
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("error", reject);
      socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    });
  }

  async function close(): Promise<void> {
    sdk.destroy();
    if (door !== undefined) return door.close(0);
    httpServer.closeAllConnections();
    await new Promise((resolve) => httpServer.close(resolve));
  }
  return { port, backend, sdk, done, failures, ask, raw, close };
}

/** An OTLP receiver that takes everything and counts it: prints {"url"} when it listens, {"requests","bytes"} at its end. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const counts = { requests: 0, bytes: 0 };
const server = createServer((request, response) => {
  counts.requests++;
  request.on("data", (chunk: Buffer) => {
    counts.bytes += chunk.length;
  });
  request.on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
});
process.stdin.resume().once("end", () => {
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
});

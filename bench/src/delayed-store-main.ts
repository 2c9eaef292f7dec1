/**
 * A store at a distance, as a process: every GET or HEAD of `/<bucket>/cold/<name>/...` is answered after a delay with the bytes
 * of that name, as many as its entry says. Arguments: port, delay in milliseconds, sizes as JSON.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { randomBytes } from "@ringlight/testing";

const [port = "", delayMs = "", sizes = "{}"] = process.argv.slice(2);
const objects = new Map(
  Object.entries(JSON.parse(sizes) as Record<string, number>).map(([name, bytes]) => {
    const data = randomBytes(bytes, bytes);
    return [name, { data, etag: `"${createHash("md5").update(data).digest("hex")}"` }];
  }),
);
const LISTING =
  '<?xml version="1.0"?><ListBucketResult><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>';

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  setTimeout(() => {
    const [, , cold, name = ""] = (request.url ?? "").split("?")[0]?.split("/") ?? [];
    if (cold !== "cold") {
      response.writeHead(200, { "content-type": "application/xml", "content-length": LISTING.length }).end(LISTING);
      return;
    }
    const object = objects.get(name);
    if (object === undefined) {
      response.writeHead(404, { "content-length": 0 }).end();
      return;
    }
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const size = object.data.length;
    const start = asked ? Number(asked[1]) : 0;
    const end = asked?.[2] ? Math.min(Number(asked[2]), size - 1) : size - 1;
    response.writeHead(asked ? 206 : 200, {
      "content-length": end - start + 1,
      "content-type": "application/octet-stream",
      "last-modified": "Sat, 01 Jan 2022 00:00:00 GMT",
      etag: object.etag,
      "accept-ranges": "bytes",
      ...(asked && { "content-range": `bytes ${start}-${end}/${size}` }),
    });
    response.end(request.method === "HEAD" ? undefined : object.data.subarray(start, end + 1));
  }, Number(delayMs));
});
server.listen(Number(port), "127.0.0.1", 4096);
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));

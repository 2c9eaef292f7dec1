/** The hit path of whole workers, with page bytes sent by sendfile and by reading and writing: the same tests for both. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { connect as connectClient } from "@ringlight/client";
import { ensureNative } from "@ringlight/native";
import { waitFor } from "@ringlight/testing";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const MIB = 1024 * 1024;
const PAGE = 64 * 1024;
ensureNative();

/** One answer as it came over the wire. */
interface Answer {
  readonly head: string;
  readonly body: Buffer;
}

/** Reads answers from a connection, one after the other. */
class Wire {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #length = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(address: string) {
    const [host = "", port = ""] = address.split(":");
    this.socket = connect({ host, port: Number(port), allowHalfOpen: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
    for (const event of ["end", "close", "error"]) {
      this.socket.on(event, () => {
        this.#ended = true;
        this.#wake?.();
      });
    }
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new Error(`the connection ended after ${this.#length} bytes`);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** What has arrived, in one piece. */
  #bytes(): Buffer {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = [bytes ?? Buffer.alloc(0)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  async answer(isHead = false): Promise<Answer> {
    let end = this.#bytes().indexOf("\r\n\r\n");
    for (; end < 0; end = this.#bytes().indexOf("\r\n\r\n")) await this.#more();
    const head = this.#bytes().toString("latin1", 0, end);
    const length = isHead || / 304 /.test(head) ? 0 : Number(/\r\nContent-Length: (\d+)/i.exec(head)?.[1] ?? 0);
    while (this.#length < end + 4 + length) await this.#more();
    const bytes = this.#bytes();
    const body = bytes.subarray(end + 4, end + 4 + length);
    this.#chunks = [bytes.subarray(end + 4 + length)];
    this.#length = this.#chunks[0]?.length ?? 0;
    return { head, body };
  }

  async ask(path: string, headers: readonly string[] = [], method = "GET"): Promise<Answer> {
    this.send(`${method} ${path} HTTP/1.1\r\nHost: h\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`);
    return this.answer(method === "HEAD");
  }

  close(): void {
    this.socket.destroy();
  }
}

async function start(t: TestContext, sendfile: string, ...flags: string[]): Promise<TestCluster> {
  const cluster = await startTestCluster(1, [`--sendfile=${sendfile}`, "--page-size=64KiB", "--ssd=0", ...flags]);
  t.after(() => cluster.close());
  await cluster.mount("data", { access: "anonymous-read" });
  return cluster;
}

const wire = (t: TestContext, cluster: TestCluster): Wire => {
  const made = new Wire(cluster.workers[0]?.record.addresses.s3 ?? "");
  t.after(() => made.close());
  return made;
};

/** Reads an object until all of its pages are hits. */
async function warm(t: TestContext, cluster: TestCluster, key: string): Promise<void> {
  const reader = wire(t, cluster);
  await waitFor(
    async () => {
      const before = cluster.origin.count({ op: "GetObject" });
      const { head } = await reader.ask(`/data/${key}`);
      return /Cache-Status: ringlight; hit/.test(head) && cluster.origin.count({ op: "GetObject" }) === before;
    },
    { timeoutMs: 60_000 },
  );
}

/** A head without what is another one each time. */
const comparable = (head: string): string =>
  head
    .replace(/trace;desc="[0-9a-f]{32}"/, "TRACE")
    .replace(/(x-amz-request-id: )[0-9A-F]{16}/, "$1ID")
    .replace(/Date: [^\r]+ GMT/, "DATE");

for (const sendfile of ["auto", "off"]) {
  test(`sendfile=${sendfile}: hundreds of request shapes are answered as by the general path, header by header and byte by byte`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=64MiB");
    const sizes = { empty: 0, one: 1, page: PAGE, odd: 3 * PAGE + 77 };
    for (const [key, sizeBytes] of Object.entries(sizes)) {
      cluster.origin.putObject("data", key, { sizeBytes, seed: sizeBytes });
      if (sizeBytes > 0) await warm(t, cluster, key);
    }
    const fast = wire(t, cluster);
    const general = wire(t, cluster);
    const { etag } = cluster.origin.putObject("data", "odd", { sizeBytes: sizes.odd, seed: sizes.odd });
    const summed = { checksums: { "x-amz-checksum-crc32c": "yZRlqg==" } };
    cluster.origin.putObject("data", "summed", { sizeBytes: PAGE, seed: 9 }, summed);
    // A HEAD learns the checksums; a read that learns the object by a range of it is told none.
    await fast.ask("/data/summed", [], "HEAD");
    await warm(t, cluster, "summed");
    const shapes: [string, string[], string][] = [];
    const ranges = [
      "",
      "0-0",
      "0-",
      "-1",
      "-99999999",
      "5-4",
      "65535-65536",
      "1-131072",
      "196608-",
      "196685-",
      "x",
      "0-1,3-4",
    ];
    const conditions = [
      [],
      [`If-Match: ${etag}`],
      ['If-Match: "other"'],
      [`If-None-Match: ${etag}`],
      ["If-None-Match: *"],
      ["If-Modified-Since: Fri, 02 Jan 2099 03:04:05 GMT"],
      ["If-Unmodified-Since: Fri, 02 Jan 2000 03:04:05 GMT"],
      [`If-Range: ${etag}`],
      ['If-Range: "other"'],
    ];
    for (const key of [...Object.keys(sizes), "absent"]) {
      for (const method of ["GET", "HEAD"]) {
        for (const range of ranges) {
          for (const lines of key === "odd" || range === "" ? conditions : [[]]) {
            shapes.push([`/data/${key}`, [...(range === "" ? [] : [`Range: bytes=${range}`]), ...lines], method]);
          }
        }
      }
    }
    for (const query of ["?x-id=GetObject", "?versionId=null", "?partNumber=1", "?response-content-type=a", "?acl"]) {
      shapes.push([`/data/odd${query}`, [], "GET"]);
    }
    for (const method of ["GET", "HEAD"]) {
      for (const range of [[], ["Range: bytes=0-"], ["Range: bytes=0-9"]]) {
        shapes.push(
          ["/data/summed", ["x-amz-checksum-mode: ENABLED", ...range], method],
          ["/data/summed", range, method],
        );
      }
    }
    assert.ok(shapes.length > 300);
    for (const [path, headers, method] of shapes) {
      const what = `${method} ${path} ${headers.join(", ")}`;
      const direct = await fast.ask(path, headers, method);
      // A header that is not plain sends the connection to node:http, and the request to the general handler.
      const other = await general.ask(path, [...headers, "X-Odd: \t"], method);
      const inOrder = path !== "/data/summed";
      const strip = (answer: Answer) => {
        const lines = comparable(answer.head).split("\r\n");
        return inOrder ? lines : lines.sort();
      };
      if (/ [2]\d\d /.test(direct.head.slice(0, 13))) {
        assert.deepEqual(strip(direct), strip(other), what);
        assert.equal(direct.body.equals(other.body), true, what);
        const asked = headers.some((line) => line.endsWith("ENABLED")) && !headers.some((line) => line.endsWith("0-9"));
        assert.equal(/x-amz-checksum-crc32c: yZRlqg==/.test(direct.head), asked, what);
      } else {
        assert.equal(direct.head.slice(0, 12), other.head.slice(0, 12), what);
      }
    }
  });

  test(`sendfile=${sendfile}: readers that were half way keep their bytes when all pages are evicted under them`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=24MiB", "--page-size=1MiB");
    const sizeBytes = 12 * MIB;
    cluster.origin.putObject("data", "held", { sizeBytes, seed: 1 });
    const expected = cluster.origin.bytesOf("data", "held");
    await warm(t, cluster, "held");
    const client = await connectClient({
      endpoints: cluster.workers.map(({ record }) => record.addresses.grpc),
      shortCircuit: false,
    });
    t.after(() => client.close());
    const requests = async () =>
      (await client.contents("/")).hot.find(({ path }) => path === "/data/held")?.requests ?? 0;
    const before = await requests();
    const readers = Array.from({ length: 12 }, () => {
      const reader = connect(Number(cluster.workers[0]?.record.addresses.s3.split(":")[1]), "127.0.0.1");
      t.after(() => reader.destroy());
      return reader;
    });
    const starts = readers.map(async (reader) => {
      await once(reader, "connect");
      reader.write("GET /data/held HTTP/1.1\r\nHost: h\r\n\r\n");
      await once(reader, "readable");
    });
    await Promise.all(starts);
    for (let index = 0; index < 5; index++) {
      cluster.origin.putObject("data", `other-${index}`, { sizeBytes, seed: index + 2 });
      const other = wire(t, cluster);
      for (let turn = 0; turn < 2; turn++) {
        const { body } = await other.ask(`/data/other-${index}`);
        assert.equal(body.equals(cluster.origin.bytesOf("data", `other-${index}`)), true);
      }
      other.close();
    }
    await Promise.all(
      readers.map(async (reader) => {
        let head = "";
        let at = 0;
        for await (const chunk of reader as AsyncIterable<Buffer>) {
          let bytes = chunk;
          if (!head.includes("\r\n\r\n")) {
            const before = head.length;
            head += chunk.toString("latin1");
            if (!head.includes("\r\n\r\n")) continue;
            assert.match(head, /Cache-Status: ringlight; hit/);
            bytes = chunk.subarray(head.indexOf("\r\n\r\n") + 4 - before);
          }
          assert.equal(bytes.equals(expected.subarray(at, at + bytes.length)), true, `wrong bytes behind ${at}`);
          at += bytes.length;
          if (at === sizeBytes) break;
        }
        assert.equal(at, sizeBytes);
      }),
    );
    // What was here and what was fetched again is one request a page, told by one of both.
    const expectedRequests = before + readers.length * (sizeBytes / MIB);
    await waitFor(async () => (await requests()) >= expectedRequests);
    assert.equal(await requests(), expectedRequests);
  });

  test(`sendfile=${sendfile}: scattered reads of a large object fetch blocks, which are hits from then on`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=64MiB", "--page-size=1MiB");
    cluster.origin.putObject("data", "large", { sizeBytes: 12 * MIB + 77, seed: 8 });
    const expected = cluster.origin.bytesOf("data", "large");
    const reader = wire(t, cluster);
    const read = async (start: number, length: number) => {
      const { head, body } = await reader.ask("/data/large", [`Range: bytes=${start}-${start + length - 1}`]);
      assert.equal(body.equals(expected.subarray(start, start + length)), true, `${length} bytes from ${start}`);
      return head;
    };
    await read(0, 10);
    const gets = () => cluster.origin.count({ op: "GetObject" });
    const before = gets();
    const places = Array.from({ length: 10 }, (_, index) => (index + 1) * MIB + index * 70_000);
    for (const place of places) assert.match(await read(place, 4096), /Cache-Status: ringlight; fwd=/);
    assert.equal(gets(), before + places.length);
    const again = async () => {
      const heads: string[] = [];
      for (const place of places) heads.push(await read(place + 20, 4000));
      return heads.every((head) => /Cache-Status: ringlight; hit/.test(head));
    };
    // A block is in the store some turns after its reader has it.
    await waitFor(again, { timeoutMs: 60_000 });
    assert.equal(gets(), before + places.length);
    const client = await connectClient({ endpoints: [cluster.workers[0]?.record.addresses.grpc ?? ""] });
    t.after(() => client.close());
    const { owner } = await client.explain("/data/large");
    assert.deepEqual(owner.cached, [{ first: 0, last: 0 }]);
    assert.ok(
      owner.cachedBytes >= MIB + places.length * 64 * 1024 && owner.cachedBytes < 3 * MIB,
      `${owner.cachedBytes}`,
    );
    assert.equal(owner.accesses[0]?.outcome, "hit");
    // From one kind to the other in the middle of an answer, and on to what is not here.
    await read(places[0] ?? 0, 3 * MIB);
    await read(places[2] ?? 0, 4096);
    await read(places[9] ?? 0, 12 * MIB + 77 - (places[9] ?? 0));
    await read(0, 12 * MIB + 77);
    await waitFor(async () => /Cache-Status: ringlight; hit/.test(await read(0, 12 * MIB + 77)), { timeoutMs: 60_000 });
  });

  test(`sendfile=${sendfile}: pipelined, split and half-closed requests are answered in order, and other methods after them`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=64MiB");
    cluster.origin.putObject("data", "key", { sizeBytes: 3 * PAGE, seed: 7 });
    const expected = cluster.origin.bytesOf("data", "key");
    await warm(t, cluster, "key");
    const get = (from: number, to: number, more = "") =>
      `GET /data/key HTTP/1.1\r\nHost: h\r\nRange: bytes=${from}-${to}\r\n${more}\r\n`;
    const reader = wire(t, cluster);
    reader.send(Array.from({ length: 40 }, (_, index) => get(index * 1000, index * 1000 + 999)).join(""));
    for (let index = 0; index < 40; index++) {
      const { body } = await reader.answer();
      assert.equal(body.equals(expected.subarray(index * 1000, index * 1000 + 1000)), true, `answer ${index}`);
    }
    const text = get(5, 9);
    for (const char of text) {
      reader.send(char);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await reader.answer()).body.equals(expected.subarray(5, 10)), true);
    // A body makes the connection node:http's, which goes on answering, whatever follows.
    reader.send(
      `${get(0, 1)}PUT /data/key HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n${"GET /data/key HTTP/1.1\r\nHost: smuggled\r\n\r\n".slice(0, 40)}${get(2, 3)}`,
    );
    assert.equal((await reader.answer()).body.equals(expected.subarray(0, 2)), true);
    assert.match((await reader.answer()).head, /^HTTP\/1\.1 403/);
    assert.equal((await reader.answer()).body.equals(expected.subarray(2, 4)), true);
    const halfClosed = wire(t, cluster);
    halfClosed.socket.end("GET /data/key HTTP/1.1\r\nHost: h\r\n\r\n");
    assert.equal((await halfClosed.answer()).body.equals(expected), true);
    const closing = wire(t, cluster);
    closing.send(get(0, 0, "Connection: close\r\n"));
    assert.match((await closing.answer()).head, /Connection: close/);
    await once(closing.socket, "end");
  });

  test(`sendfile=${sendfile}: a client that leaves in the middle is counted as such, and its pages are let go of`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=96MiB", "--page-size=1MiB");
    cluster.origin.putObject("data", "large", { sizeBytes: 48 * MIB, seed: 3 });
    await warm(t, cluster, "large");
    const metrics = async () => (await fetch(`http://${cluster.workers[0]?.record.addresses.rest}/metrics`)).text();
    for (let index = 0; index < 8; index++) {
      const reader = connect(Number(cluster.workers[0]?.record.addresses.s3.split(":")[1]), "127.0.0.1");
      reader.write("GET /data/large HTTP/1.1\r\nHost: h\r\n\r\n");
      await once(reader, "readable");
      reader.destroy();
    }
    await waitFor(
      async () =>
        /request_duration_seconds_count\{[^}]*api="s3.GetObject",[^}]*status="aborted"[^}]*\} 8\b/.test(
          await metrics(),
        ),
      { timeoutMs: 60_000, what: "the count of broken answers" },
    );
    const again = wire(t, cluster);
    const { body } = await again.ask("/data/large");
    assert.equal(body.equals(cluster.origin.bytesOf("data", "large")), true);
  });

  test(`sendfile=${sendfile}: many slow readers of a large object need little memory`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=128MiB", "--page-size=1MiB");
    cluster.origin.putObject("data", "large", { sizeBytes: 64 * MIB, seed: 4 });
    await warm(t, cluster, "large");
    const before = process.memoryUsage().rss;
    const readers = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const reader = connect(Number(cluster.workers[0]?.record.addresses.s3.split(":")[1]), "127.0.0.1");
        t.after(() => reader.destroy());
        reader.write("GET /data/large HTTP/1.1\r\nHost: h\r\n\r\n");
        await once(reader, "readable");
        return reader;
      }),
    );
    const grown = process.memoryUsage().rss - before;
    // 64 chunks of 256 KiB are 16 MiB; the clients of this very process have buffers too.
    assert.ok(grown < 160 * MIB, `${Math.round(grown / MIB)} MiB for 64 readers`);
    for (const reader of readers) reader.destroy();
  });

  test(`sendfile=${sendfile}: the way of the bytes is named by /readyz`, async (t) => {
    const cluster = await start(t, sendfile, "--mem=64MiB");
    const ready = await fetch(`http://${cluster.workers[0]?.record.addresses.rest}/readyz`);
    const { dataPath } = (await ready.json()) as { dataPath: string };
    const expected = sendfile === "off" ? /^typescript \(sendfile is off\)$/ : /^(sendfile$|typescript \(.+\)$)/;
    assert.match(dataPath, expected);
  });
}

test("a mount is read without a signature only if it says so", async (t) => {
  const cluster = await start(t, "auto", "--mem=64MiB");
  await cluster.mount("closed");
  cluster.origin.putObject("closed", "key", { sizeBytes: 100, seed: 1 });
  const reader = wire(t, cluster);
  assert.match((await reader.ask("/closed/key")).head, /^HTTP\/1\.1 403/);
  const url = cluster.presigned(0, "closed", "key");
  const signed = () =>
    fetch(url).then(async (answer) => [answer.status, answer.headers.get("cache-status"), await answer.bytes()]);
  await waitFor(async () => /; hit;/.test(String((await signed())[1])));
  assert.equal((await signed())[0], 200);
  assert.match((await reader.ask("/closed/key")).head, /^HTTP\/1\.1 403/);
  const forged = `${url.pathname}${url.search}`.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  assert.match((await reader.ask(forged)).head, /^HTTP\/1\.1 403/);
});

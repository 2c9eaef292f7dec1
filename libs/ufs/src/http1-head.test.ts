import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkedDecoder } from "./http1-chunked.ts";
import { headEnd, MalformedResponse, parseHead } from "./http1-head.ts";

const head = (...lines: string[]) => parseHead(lines.join("\r\n"), false);

test("a head is parsed into status, headers in lower case, framing and what becomes of the connection", () => {
  const parsed = head(
    "HTTP/1.1 206 Partial Content",
    'ETag: "a"',
    "Content-Length:  12 ",
    "X-Amz-Meta-A: b",
    "x-amz-meta-a: c",
  );
  assert.equal(parsed.status, 206);
  assert.deepEqual({ ...parsed.headers }, { etag: '"a"', "content-length": "12", "x-amz-meta-a": "b, c" });
  assert.equal(parsed.framing, 12);
  assert.equal(parsed.keepAlive, true);
});

test("a head is the same whatever heads came before it", () => {
  const statuses = ["HTTP/1.1 200 OK", "HTTP/1.1 206 Partial Content", "HTTP/1.0 200 OK", "HTTP/1.1 200"];
  const names = ["ETag", "Etag", "Server", "Ser", "Content-Length", "X-A", "X-Amz-Meta-A", "Date"];
  const values = ["1", "12", "123", " 1", "1 ", "1:2", ""];
  let state = 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 20_000; round++) {
    const status = statuses[next(statuses.length)] ?? "";
    const order = names.filter(() => next(3) > 0);
    if (next(4) === 0) order.reverse();
    const lines = order.map(
      (name) => [name, values[next(name === "Content-Length" ? 3 : values.length)] ?? ""] as const,
    );
    const expected: Record<string, string> = {};
    for (const [name, value] of lines) {
      const low = name.toLowerCase();
      if (low !== "etag" || expected.etag === undefined) expected[low] = value.trim();
    }
    const text = [status, ...lines.map(([name, value]) => `${name}:${value}`)].join("\r\n");
    const etags = new Set(lines.filter(([name]) => name.toLowerCase() === "etag").map(([, value]) => value.trim()));
    if (etags.size > 1) {
      assert.throws(() => parseHead(text, false), MalformedResponse, text);
      continue;
    }
    const parsed = parseHead(text, false);
    assert.deepEqual({ ...parsed.headers }, expected, text);
    assert.equal(parsed.status, Number(status.split(" ")[1]), text);
    assert.equal(parsed.keepAlive, status.startsWith("HTTP/1.1") && "content-length" in expected, text);
    assert.equal(parsed.isPlain, !("x-amz-meta-a" in expected), text);
  }
});

test("the framing of a body follows RFC 9112", () => {
  assert.equal(head("HTTP/1.1 200 OK", "Transfer-Encoding: Chunked").framing, "chunked");
  assert.equal(head("HTTP/1.1 200 OK").framing, "close");
  assert.equal(head("HTTP/1.1 200 OK").keepAlive, false);
  for (const status of [204, 304, 100]) assert.equal(head(`HTTP/1.1 ${status} x`, "Content-Length: 5").framing, 0);
  assert.equal(parseHead("HTTP/1.1 200 OK\r\nContent-Length: 5", true).framing, 0);
  assert.equal(parseHead("HTTP/1.1 200\r\nContent-Length: 5", false).framing, 5);
});

test("a connection is kept as version and Connection header say", () => {
  const length = "Content-Length: 0";
  assert.equal(head("HTTP/1.1 200 OK", length, "Connection: close").keepAlive, false);
  assert.equal(head("HTTP/1.1 200 OK", length, "Connection: te, Close").keepAlive, false);
  assert.equal(head("HTTP/1.0 200 OK", length).keepAlive, false);
  assert.equal(head("HTTP/1.0 200 OK", length, "Connection: keep-alive").keepAlive, true);
  assert.equal(head("HTTP/1.1 200 OK", length, "Keep-Alive: timeout=5, max=100").keepAliveS, 5);
});

test("heads that two readers could understand in two ways are refused", () => {
  const bad: string[][] = [
    [""],
    ["HTTP/2 200 OK"],
    ["HTTP/1.1 99 x"],
    ["HTTP/1.1  200 OK"],
    ["HTTP/1.1 2000 OK"],
    ["SSH-2.0-OpenSSH_9.2"],
    ["HTTP/1.1 200 OK\nContent-Length: 1"],
    ["HTTP/1.1 200 OK", " folded: 1"],
    ["HTTP/1.1 200 OK", "constructor: 1"],
    ["HTTP/1.1 200 OK", "__proto__: 1"],
    ["HTTP/1.1 200 OK", "a: 1", "\tfolded"],
    ["HTTP/1.1 200 OK", "no colon"],
    ["HTTP/1.1 200 OK", "space before : 1"],
    ["HTTP/1.1 200 OK", ": no name"],
    ["HTTP/1.1 200 OK", "a: b\0c"],
    ["HTTP/1.1 200 OK", "a: b\rc"],
    ["HTTP/1.1 200 OK", "a: b\nc: d"],
    ["HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2"],
    ["HTTP/1.1 200 OK", 'ETag: "a"', 'ETag: "b"'],
    ["HTTP/1.1 200 OK", "Content-Length: -1"],
    ["HTTP/1.1 200 OK", "Content-Length: 1, 1"],
    ["HTTP/1.1 200 OK", "Content-Length: 0x10"],
    ["HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked"],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"],
    ["HTTP/1.1 200 OK", ...Array.from({ length: 300 }, (_, index) => `h${index}: 1`)],
  ];
  for (const lines of bad) assert.throws(() => head(...lines), MalformedResponse, JSON.stringify(lines.slice(0, 3)));
  assert.equal(head("HTTP/1.1 200 OK", "Content-Length: 7", "content-length: 7").framing, 7);
});

test("the end of a head is found wherever it is split", () => {
  const text = "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody";
  const end = text.indexOf("body");
  for (let split = 0; split <= text.length; split++) {
    const part = Buffer.from(text.slice(0, split), "latin1");
    assert.equal(headEnd(part, 0), split >= end ? end : -1);
    assert.equal(headEnd(Buffer.from(text, "latin1"), Math.min(split, end - 1)), end);
  }
});

test("chunks are decoded wherever they are split, and what is behind them is left", () => {
  const text = "4\r\nWiki\r\n6;name=value\r\npedia \r\nE \r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n";
  const bytes = Buffer.from(`${text}HTTP/1.1 200`, "latin1");
  for (let split = 0; split <= bytes.length; split++) {
    const decoder = new ChunkedDecoder();
    let out = "";
    const data = (piece: Buffer) => {
      out += piece.toString("latin1");
    };
    let taken = decoder.push(bytes.subarray(0, split), data);
    if (!decoder.done) taken += decoder.push(bytes.subarray(split), data);
    assert.equal(out, "Wikipedia in \r\n\r\nchunks.");
    assert.equal(decoder.done, true);
    assert.equal(taken, text.length);
  }
});

test("chunks that are none are refused", () => {
  for (const text of [
    "x\r\n",
    "\r\n",
    "-1\r\n",
    "4\r\nWikipedia",
    "4\nWiki",
    "4\r\nWiki\n",
    "fffffffffffff\r\n",
    `4;${"a".repeat(5000)}`,
  ]) {
    const decoder = new ChunkedDecoder();
    assert.throws(
      () => decoder.push(Buffer.from(text, "latin1"), () => undefined),
      MalformedResponse,
      text.slice(0, 20),
    );
  }
});

test("a head of which nothing tells of the object is plain, whatever names the request", () => {
  assert.equal(head("HTTP/1.1 200 OK", "ETag: a", "X-Amz-Request-Id: 1", "x-amz-id-2: 2").isPlain, true);
  assert.equal(head("HTTP/1.1 200 OK", "ETag: a", "X-Amz-Meta-A: b").isPlain, false);
  assert.equal(head("HTTP/1.1 200 OK", "x-amz-server-side-encryption: AES256").isPlain, false);
});

test("values stay what they are, however many different ones come", () => {
  for (let index = 0; index < 2000; index++) {
    const parsed = head("HTTP/1.1 200 OK", `ETag: "${index}"`, "Content-Type: text/pl\u00e4in");
    assert.deepEqual([parsed.headers.etag, parsed.headers["content-type"]], [`"${index}"`, "text/pl\u00e4in"]);
  }
});

import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { MAX_HEAD_BYTES, parseHead } from "./request-head.ts";

const parse = (text: string) => {
  const bytes = Buffer.from(text, "latin1");
  return parseHead(bytes, 0, bytes.length);
};
const HEAD = "GET /bucket/key%20a?x-id=GetObject HTTP/1.1\r\nHost: h:1\r\nRange: bytes=0-3\r\nX-A:  b c \r\n\r\n";

/** Mutated heads that are compared with node:http; a long run sets more. */
const ROUNDS = Number(process.env.RL_FUZZ_ROUNDS ?? 12_000);

test("a plain read is understood whole, and only its own bytes are taken", () => {
  const parsed = parse(`${HEAD}GET /next`);
  assert.ok(typeof parsed === "object");
  assert.equal(parsed.method, "GET");
  assert.equal(parsed.url, "/bucket/key%20a?x-id=GetObject");
  assert.deepEqual({ ...parsed.headers }, { host: "h:1", range: "bytes=0-3", "x-a": "b c" });
  assert.deepEqual(parsed.rawHeaders, ["Host", "h:1", "Range", "bytes=0-3", "X-A", "b c"]);
  assert.equal(parsed.end, HEAD.length);
  assert.equal(parsed.keepAlive, true);
  const closing = parse("HEAD /b/k HTTP/1.1\r\nhost: h\r\nConnection: Close\r\n\r\n");
  assert.ok(typeof closing === "object" && closing.method === "HEAD" && !closing.keepAlive);
});

test("every beginning of a plain read is waited for", () => {
  for (let length = 0; length < HEAD.length; length++)
    assert.equal(parse(HEAD.slice(0, length)), "partial", `${length}`);
});

test("what is more than a plain read, or is written oddly, is foreign", () => {
  const one = (line: string, rest = "Host: h") => `${line}\r\n${rest}\r\n\r\n`;
  const line = "GET /b/k HTTP/1.1";
  const foreign = [
    one("PUT /b/k HTTP/1.1"),
    one("get /b/k HTTP/1.1"),
    one("GET  /b/k HTTP/1.1"),
    one("GET http://h/b/k HTTP/1.1"),
    one("GET * HTTP/1.1"),
    one("GET /b/k HTTP/1.0"),
    one("GET /b/k HTTP/1.1 "),
    one("GET /b k HTTP/1.1"),
    one("GET /b/k\u00e9 HTTP/1.1"),
    one("GET /b/k#f HTTP/1.1"),
    one(line, "X: y"),
    one(line, "Host: h\r\nHost: h"),
    one(line, "Host: h\r\nRange: bytes=0-1\r\nrange: bytes=2-3"),
    one(line, "Host: h\r\nContent-Length: 0"),
    one(line, "Host: h\r\nTransfer-Encoding: chunked"),
    one(line, "Host: h\r\nTransfer-Encoding : chunked"),
    one(line, "Host: h\r\nExpect: 100-continue"),
    one(line, "Host: h\r\nUpgrade: h2c"),
    one(line, "Host: h\r\nConnection: upgrade"),
    one(line, "Host: h\r\nConnection: keep-alive, te"),
    one(line, "Host: h\r\n folded"),
    one(line, "Host: h\r\nX: a\r\n b"),
    one(line, "Host : h"),
    one(line, "Host: h\r\nX: a\0b"),
    one(line, "Host: h\r\nX: a\tb"),
    one(line, "Host: h\r\nX:"),
    one(line, "Host: h\r\nconstructor: x"),
    `${line}\nHost: h\r\n\r\n`,
    `${line}\r\nHost: h\n\r\n`,
    `${line}\r\nHost: h\r\n\n`,
    `${line}\r\nHost: h\rX: y\r\n\r\n`,
    `\r\n${one(line)}`,
    `${line}\r\nHost: h\r\nX: ${"y".repeat(MAX_HEAD_BYTES)}`,
    `${line}\r\nHost: h\r\n${"X: y\r\n".repeat(70)}\r\n`,
  ];
  for (const text of foreign) assert.equal(parse(text), "foreign", JSON.stringify(text.slice(0, 80)));
});

/** A small generator of numbers (mulberry32), so that a failure can be repeated by its seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const PIECES = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  "Host: h\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "transfer-encoding:chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive\r\n",
  "Expect: 100-continue\r\n",
  "Upgrade: h2c\r\n",
  "Range: bytes=0-1\r\n",
  "X-Y: z \r\n",
  " folded\r\n",
  "GET /smuggled HTTP/1.1\r\n",
  "0\r\n\r\n",
  "HTTP/1.0",
  "\u00ff",
  "%00",
  "\x7f",
];

test("node:http takes every request that is taken here, with the same method, target, headers and end", async (t) => {
  const seen: { method: string; url: string; headers: object; raw: string[] }[] = [];
  const server = createServer((req: IncomingMessage, res) => {
    seen.push({ method: req.method ?? "", url: req.url ?? "", headers: { ...req.headers }, raw: req.rawHeaders });
    res.end();
  });
  server.on("clientError", (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const ask = (bytes: Buffer) =>
    new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.resume();
    });
  const seed = Number(process.env.RL_FUZZ_SEED ?? 20_260_103);
  const next = numbers(seed);
  let taken = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let text = next(4) === 0 ? "HEAD /b/k?x=%20 HTTP/1.1\r\nHost: h\r\n\r\n" : HEAD;
    for (let count = 1 + next(3); count > 0; count--) {
      const at = next(text.length + 1);
      const piece = PIECES[next(PIECES.length)] ?? "";
      text = text.slice(0, at) + (next(3) === 0 ? String.fromCharCode(next(256)) : piece) + text.slice(at + next(3));
    }
    const bytes = Buffer.from(text, "latin1");
    const parsed = parseHead(bytes, 0, bytes.length);
    if (typeof parsed === "string") continue;
    // A taken request is asked alone, and must be the one that node sees; four in five are left out, they differ little.
    if (taken++ % 5 !== 0) continue;
    seen.length = 0;
    await ask(bytes.subarray(0, parsed.end));
    const what = `seed ${seed}, round ${round}: ${JSON.stringify(text)}`;
    assert.equal(seen.length, 1, what);
    assert.deepEqual(
      seen[0],
      { method: parsed.method, url: parsed.url, headers: { ...parsed.headers }, raw: parsed.rawHeaders },
      what,
    );
    // And cut short by a byte it is not a whole one to either.
    assert.equal(parseHead(bytes, 0, parsed.end - 1), "partial", what);
  }
  assert.ok(taken > 500, `${taken} mutations were taken`);
});

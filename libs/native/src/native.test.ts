import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AGAIN, ensureNative, loadNative, type Native } from "./index.ts";

const here = new URL("..", import.meta.url).pathname;

function addon(t: TestContext): Native | undefined {
  const why = ensureNative();
  const loaded = loadNative();
  if (loaded.native !== undefined) return loaded.native;
  assert.equal(loaded.reason, why);
  t.diagnostic(`no addon on this machine: ${why}`);
  return undefined;
}

async function pair(
  t: TestContext,
): Promise<{ readonly fd: number; readonly server: Socket; readonly client: Socket }> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const client = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  const [server] = (await once(listener, "connection")) as [Socket];
  t.after(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { fd: (server as unknown as { _handle: { fd: number } })._handle.fd, server, client };
}

test("a head and the bytes of an unlinked file arrive whole at a client that reads late", async (t) => {
  const native = addon(t);
  if (native !== undefined) await arrivesWhole(t, native, tmpdir(), () => undefined);
});

test("so do those of a mapped one, from the mapping and by sendfile in turn", async (t) => {
  const native = addon(t);
  if (native === undefined || !existsSync("/dev/shm")) return;
  const map = (file: number, length: number) => assert.equal(native.mapPage(file, length), true);
  await arrivesWhole(t, native, "/dev/shm", map);
});

async function arrivesWhole(
  t: TestContext,
  native: Native,
  parent: string,
  map: (file: number, length: number) => void,
): Promise<void> {
  const { fd, client } = await pair(t);
  const directory = mkdtempSync(join(parent, "ringlight-native-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const bytes = Buffer.alloc(24 * 1024 * 1024, "0123456789abcdef!");
  writeFileSync(join(directory, "page"), bytes);
  const file = openSync(join(directory, "page"), "r");
  unlinkSync(join(directory, "page"));
  map(file, bytes.length);
  const head = Buffer.from("xxHEADxx");
  let sent = 0;
  let waits = 0;
  const done = Promise.withResolvers<void>();
  const turn = () => {
    for (;;) {
      const ofHead = Math.min(sent, 4);
      const at = Math.max(0, sent - 4);
      const result = native.sendFile(fd, head, 2 + ofHead, 4 - ofHead, file, 3 + at, bytes.length - 3 - at);
      if (result === AGAIN) {
        waits++;
        watcher.arm();
        return;
      }
      assert.ok(result > 0 && result <= 4 * 1024 * 1024 + 4, `${result}`);
      sent += result;
      if (sent === bytes.length + 1) return done.resolve();
    }
  };
  const watcher = native.watchWritable(fd, turn);
  turn();
  assert.ok(waits > 0);
  const got: Buffer[] = [];
  let length = 0;
  client.on("data", (chunk: Buffer) => {
    got.push(chunk);
    length += chunk.length;
    if (length === bytes.length + 1) client.emit("whole");
  });
  await Promise.all([done.promise, once(client, "whole")]);
  watcher.close();
  watcher.close();
  native.unmapPage(file, bytes.length);
  closeSync(file);
  const whole = Buffer.concat(got);
  assert.equal(whole.toString("latin1", 0, 4), "HEAD");
  assert.equal(whole.subarray(4).equals(bytes.subarray(3)), true);
}

test("small bodies go out with their head, a short file is an error, and wrong arguments throw", async (t) => {
  const native = addon(t);
  if (native === undefined) return;
  const { fd, client } = await pair(t);
  const directory = mkdtempSync(join(tmpdir(), "ringlight-native-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "page"), "0123456789");
  const file = openSync(join(directory, "page"), "r");
  const head = Buffer.from("HEAD:");
  assert.equal(native.sendFile(fd, head, 0, 5, file, 2, 4), 9);
  const [chunk] = (await once(client, "data")) as [Buffer];
  assert.equal(chunk.toString(), "HEAD:2345");
  assert.ok(native.sendFile(fd, head, 0, 5, file, 8, 4) < 0);
  assert.ok(native.sendFile(fd, head, 0, 0, file, 10, 4) < 0);
  assert.equal(native.sendFile(fd, head, 0, 5, -1, 0, 0), 5);
  assert.throws(() => native.sendFile(fd, head, 0, 6, file, 0, 1));
  assert.throws(() => native.sendFile(-1, head, 0, 5, file, 0, 1));
  assert.throws(() => native.sendFile(fd, head, 0, 5, file, -1, 1));
  assert.throws(() => native.watchWritable(-1, () => undefined), { code: "RL_INTERNAL" });
  closeSync(file);
});

test("where nothing can be built, the reason is kept for the worker to say", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-native-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "src"));
  for (const file of ["build.cjs", "src/ringlight.c", "src/send.c", "src/send.h", "src/signature.c", "src/index.ts"])
    cpSync(join(here, file), join(directory, file));
  // The copy finds its imports where the original does.
  symlinkSync(join(here, "../../node_modules"), join(directory, "node_modules"));
  const module = JSON.stringify(join(directory, "src/index.ts"));
  const script = `import(${module}).then((m) => {
    const before = m.loadNative().reason;
    m.ensureNative();
    console.log(JSON.stringify([before, m.loadNative().reason]));
  });`;
  const env = { ...process.env, PATH: directory, CC: "" };
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", env });
  const [before, after] = JSON.parse(run.stdout) as string[];
  assert.equal(before, "the addon was not built");
  assert.match(after ?? "", /^(no C compiler was found|Node's C headers were not found|the addon is for Linux only)/);
});

test("small answers from a mapped file are its bytes, cut off or not, and another file's under the same descriptor after it", async (t) => {
  const native = addon(t);
  if (native === undefined || !existsSync("/dev/shm")) return;
  const { fd, client } = await pair(t);
  const directory = mkdtempSync("/dev/shm/ringlight-native-");
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const open = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return openSync(join(directory, name), "r+");
  };
  const head = Buffer.from("HEAD:");
  const answer = async (file: number, position: number, length: number) => {
    const sent = native.sendFile(fd, head, 0, 5, file, position, length);
    if (sent < 0) return sent;
    const [chunk] = (await once(client, "data")) as [Buffer];
    return chunk.toString();
  };
  const first = open("first", "0123456789".repeat(1000));
  assert.equal(native.mapPage(first, 10_001), false, "longer than the file");
  assert.equal(native.mapPage(first, 10_000), true);
  assert.equal(native.mapPage(first, 10_000), false, "it is mapped already");
  assert.equal(await answer(first, 9_995, 5), "HEAD:56789");
  assert.equal(await answer(first, 9_995, 6), -constants.errno.ENODATA, "beyond the end");
  unlinkSync(join(directory, "first"));
  assert.equal(await answer(first, 2, 3), "HEAD:234");
  ftruncateSync(first, 0);
  assert.equal(await answer(first, 8_000, 3), -constants.errno.EFAULT);
  native.unmapPage(first, 10_000);
  native.unmapPage(first, 10_000);
  closeSync(first);
  const second = open("second", "abcdefghij".repeat(1000));
  assert.equal(second, first, "the system gives the lowest number");
  assert.equal(await answer(second, 0, 3), "HEAD:abc");
  assert.equal(native.mapPage(second, 10_000), true);
  assert.equal(await answer(second, 9_000, 4), "HEAD:abcd");
  native.unmapPage(second, 10_000);
  closeSync(second);
  assert.equal(native.mapPage(-1, 1), false);
  assert.equal(native.mapPage(1 << 20, 1), false);
});

test("signatures are those of node:crypto, for texts of every length and byte; what is too long is left to the caller", (t) => {
  const signer = addon(t)?.signer;
  if (signer === undefined) return;
  const random = (length: number) => randomBytes(length).toString("latin1");
  const signed = (key: Buffer, opening: string, text: string) => {
    const inner = createHash("sha256").update(text, "latin1").digest("hex");
    return createHmac("sha256", key).update(opening, "latin1").update(inner).digest("hex");
  };
  for (let length = 0; length < 400; length++) {
    const [key, opening, text] = [randomBytes(length % 65), random(length), random(length * 3)];
    assert.equal(signer.signText(signer.hmacPads(key), opening, text), signed(key, opening, text), `length ${length}`);
  }
  const pads = signer.hmacPads(Buffer.from("key"));
  const longest = [random(510), random(8190)] as const;
  assert.equal(signer.signText(pads, ...longest), signed(Buffer.from("key"), ...longest));
  assert.equal(signer.signText(pads, `${longest[0]}x`, ""), undefined);
  assert.equal(signer.signText(pads, "", `${longest[1]}x`), undefined);
  // What is kept of one opening is not taken for another's.
  for (const opening of ["one", "two", "two", "twos", "", "", "one"]) {
    assert.equal(signer.signText(pads, opening, "text"), signed(Buffer.from("key"), opening, "text"), opening);
  }
  const right = signer.signText(pads, "opening", "text") ?? "";
  assert.equal(signer.provesText(pads, "opening", "text", right), true);
  for (let at = 0; at < right.length; at++) {
    for (const other of [right[at] === "0" ? "1" : "0", String.fromCharCode(right.charCodeAt(at) + 256)]) {
      const given = `${right.slice(0, at)}${other}${right.slice(at + 1)}`;
      assert.equal(signer.provesText(pads, "opening", "text", given), false, given);
    }
  }
  for (const given of ["", right.slice(1), `${right}0`, `${right}${right}`, `0${right}`]) {
    assert.equal(signer.provesText(pads, "opening", "text", given), false, given);
  }
  assert.equal(signer.provesText(pads, "", `${longest[1]}x`, right), undefined);
  assert.throws(() => signer.hmacPads(Buffer.alloc(65)), TypeError);
  assert.throws(() => signer.provesText(Buffer.alloc(3), "", "", ""), TypeError);
  assert.throws(() => signer.signText(Buffer.alloc(3), "", ""), TypeError);
});

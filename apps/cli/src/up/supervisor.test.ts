import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { systemClock } from "@ringlight/core";
import type { ProcessSpec } from "./child-process.ts";
import { LogFile } from "./log-file.ts";
import { Supervisor } from "./supervisor.ts";
import { waitUntil } from "./wait.ts";

const scratch = mkdtempSync(path.join(os.tmpdir(), "ringlight-supervisor-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A process that runs a line of JavaScript. */
function spec(name: string, script: string, stopMs = 5_000): ProcessSpec {
  return { name, args: ["-e", script], env: process.env, stopMs };
}

const IDLE = "console.log('up'); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000)";
const STUBBORN = "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)";

function supervise(restartAfterMs: number | undefined, onChange = () => {}) {
  const lines: string[] = [];
  const logDir = mkdtempSync(path.join(scratch, "logs-"));
  const supervisor = new Supervisor({ logDir, restartAfterMs, say: (line) => lines.push(line), onChange });
  return { supervisor, lines, logDir };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `timed out waiting for ${what}`);
    await systemClock.sleep(20);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("Supervisor", () => {
  it("reports a process that dies and starts it again", async () => {
    const { supervisor, lines } = supervise(50);
    const child = supervisor.start(spec("worker-1", IDLE));
    supervisor.keep();
    process.kill(child.pid!, "SIGKILL");
    await until(() => lines.length === 2, "the restart");
    assert.match(lines[0]!, /^worker-1 \(process \d+\) ended: SIGKILL\. Starting it again in 50 ms\.$/);
    assert.match(lines[1]!, /^worker-1 is started again/);
    assert.notEqual(supervisor.pids()["worker-1"], child.pid);
    await supervisor.stop([["worker-1"]]);
  });

  it("says once that a change cannot be recorded, and starts again what died all the same", async () => {
    const { supervisor, lines } = supervise(20, () => {
      throw new Error("ENOSPC: no space left on device, write");
    });
    const child = supervisor.start(spec("worker-1", IDLE));
    supervisor.keep();
    process.kill(child.pid!, "SIGKILL");
    await until(() => lines.some((line) => line.startsWith("worker-1 is started again")), "the restart");
    assert.equal(lines.filter((line) => /cannot be recorded: ENOSPC/.test(line)).length, 1);
    await supervisor.stop([["worker-1"]]);
  });

  it("waits longer each time a process dies soon, and quotes its last words", async () => {
    const { supervisor, lines } = supervise(20);
    supervisor.start(spec("worker-1", "console.error('RL_DISK_FULL: no room'); process.exit(3)"));
    supervisor.keep();
    await until(() => lines.filter((line) => line.includes("ended")).length === 3, "three ends");
    const pauses = lines.flatMap((line) => /again in (\d+) ms/.exec(line)?.[1] ?? []);
    assert.deepEqual(pauses.slice(0, 3), ["20", "40", "80"]);
    assert.match(lines[0]!, /exit code 3, "RL_DISK_FULL: no room"/);
    await supervisor.stop([]);
  });

  it("leaves the dead dead when told so", async () => {
    const { supervisor, lines } = supervise(undefined);
    const child = supervisor.start(spec("worker-1", IDLE));
    supervisor.keep();
    process.kill(child.pid!, "SIGKILL");
    await until(() => lines.length === 1, "the report");
    assert.match(lines[0]!, /not started again \(--no-restart\)/);
    await supervisor.stop([]);
  });

  it("stops group after group, and kills what does not end in time", async () => {
    const { supervisor, lines, logDir } = supervise(1_000);
    const order: string[] = [];
    for (const [name, script, stopMs] of [
      ["console", IDLE, 5_000],
      ["worker-1", STUBBORN, 300],
      ["registry", IDLE, 5_000],
    ] as const) {
      const child = supervisor.start(spec(name, script, stopMs));
      void child.ended.then(({ signal }) => order.push(`${name} ${signal ?? "ended"}`));
      const log = path.join(logDir, `${name}.log`);
      await until(() => readFileSync(log, "utf8").includes("up"), `${name} to be up`);
    }
    supervisor.keep();
    await supervisor.stop([["console"], ["worker-1"], ["registry"]]);
    assert.deepEqual(order, ["console ended", "worker-1 SIGKILL", "registry ended"]);
    assert.deepEqual(lines, ["worker-1 did not end within 300 ms and was killed."]);
  });

  it("gives its children a pipe that closes when it is killed", async () => {
    const pidFile = path.join(scratch, "child.pid");
    const childScript = `require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); process.stdin.once('end', () => process.exit(0)).resume(); setInterval(() => {}, 1000)`;
    const parentFile = path.join(scratch, "parent.ts");
    writeFileSync(
      parentFile,
      `import { Supervisor } from ${JSON.stringify(new URL("./supervisor.ts", import.meta.url).href)};
       const supervisor = new Supervisor({ logDir: ${JSON.stringify(scratch)}, restartAfterMs: undefined, say() {}, onChange() {} });
       supervisor.start({ name: "child", args: ["-e", ${JSON.stringify(childScript)}], env: process.env, stopMs: 1000 });
       setInterval(() => {}, 1000);`,
    );
    const { supervisor } = supervise(undefined);
    const parent = supervisor.start({ name: "parent", args: [parentFile], env: process.env, stopMs: 1_000 });
    const pid = () => {
      try {
        return Number(readFileSync(pidFile, "utf8"));
      } catch {
        return 0;
      }
    };
    await until(() => pid() > 0, "the grandchild");
    process.kill(parent.pid!, "SIGKILL");
    await until(() => !isAlive(pid()), "the grandchild's end");
    await supervisor.stop([]);
  });
});

describe("waitUntil", () => {
  it("fails with the last words of a process that ends before it is ready", async () => {
    const { supervisor } = supervise(undefined);
    const child = supervisor.start(spec("worker-1", "console.error('RL_BAD_CONFIG: nonsense'); process.exit(2)"));
    const signal = new AbortController().signal;
    await assert.rejects(
      waitUntil(child, async () => false, { timeoutMs: 10_000, signal, logFile: "/logs/worker-1.log" }),
      /worker-1 ended \(exit code 2\) before it was ready: RL_BAD_CONFIG: nonsense; its log is \/logs\/worker-1\.log/,
    );
    await supervisor.stop([]);
  });
});

describe("LogFile", () => {
  it("is cut when it has grown, and keeps two older ones", () => {
    const log = new LogFile(mkdtempSync(path.join(scratch, "rotate-")), "x");
    for (const text of ["first", "second", "third"]) {
      writeFileSync(log.file, text);
      log.rotate(3);
    }
    assert.equal(log.size(), 0);
    assert.equal(readFileSync(`${log.file}.1`, "utf8"), "third");
    assert.equal(readFileSync(`${log.file}.2`, "utf8"), "second");
  });

  it("quotes the message of a JSON line", () => {
    const log = new LogFile(mkdtempSync(path.join(scratch, "words-")), "x");
    writeFileSync(
      log.file,
      '{"level":"info","msg":"fine"}\n{"level":"error","msg":"cannot start","err":{"message":"RL_X"}}\n',
    );
    assert.equal(log.lastWords(0), "cannot start: RL_X");
  });
});

/** A headless Chromium, spoken to by its own protocol: what a benchmark needs of it, and no more. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 30_000;
const CALL_MS = 60_000;

export class Browser {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #profile: string;
  readonly #calls = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>();
  #nextId = 1;

  private constructor(child: ChildProcess, socket: WebSocket, profile: string) {
    this.#child = child;
    this.#socket = socket;
    this.#profile = profile;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
      if (message.id === undefined) return;
      this.#calls.get(message.id)?.(message);
      this.#calls.delete(message.id);
    });
  }

  /** Starts the browser with one page. */
  static async start(): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), "bench-browser-"));
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-sync",
    ];
    const child = spawn(
      process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
      [...flags, "--remote-debugging-port=0", `--user-data-dir=${profile}`, "--window-size=1280,900", "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const port = await new Promise<string>((resolve, reject) => {
      let text = "";
      const late = setTimeout(() => reject(new Error(`the browser did not start: ${text}`)), START_MS);
      child.once("error", reject);
      child.stderr?.on("data", (part: Buffer) => {
        text += part.toString();
        const found = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1];
        if (found === undefined) return;
        clearTimeout(late);
        resolve(found);
      });
    });
    const pages = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const page = pages.find(({ type }) => type === "page");
    if (page === undefined) throw new Error("the browser has no page");
    const socket = new WebSocket(page.webSocketDebuggerUrl);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const browser = new Browser(child, socket, profile);
    await browser.call("Page.enable");
    // Processor time of the thread: on a busy machine the wall says what else it does.
    await browser.call("Performance.enable", { timeDomain: "threadTicks" });
    return browser;
  }

  /** Calls a method of the protocol. @throws Error in the browser's words */
  call<T>(method: string, params: object = {}): Promise<T> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method} took more than ${CALL_MS / 1000} s`)), CALL_MS);
      this.#calls.set(id, ({ result, error }) => {
        clearTimeout(late);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result as T);
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Value of an expression in the page; promises are awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.call<{ result: { value: T } }>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    return result.value;
  }

  /** Seconds of processor time that the page's main thread has worked. */
  async taskSeconds(): Promise<number> {
    const { metrics } = await this.call<{ metrics: { name: string; value: number }[] }>("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0;
  }

  /** Ends the browser and removes its profile. */
  async stop(): Promise<void> {
    this.#socket.close();
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGTERM");
    await gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

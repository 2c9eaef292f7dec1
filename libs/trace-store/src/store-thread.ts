/**
 * The store's thread: owns the file, so that neither decoding nor SQLite ever holds up the console's pages. Batches that
 * come within a few milliseconds are committed together, and each is answered after its commit: what was acknowledged
 * survives the end of the process.
 */
import { parentPort, workerData } from "node:worker_threads";
import { RinglightError } from "@ringlight/core";
import { StoreCore } from "./store-core.ts";
import type { StoreOptions } from "./store-options.ts";
import { type FromStore, INGEST_WINDOW, type ToStore } from "./thread-messages.ts";
import { Watches } from "./watches.ts";

const COMMIT_AFTER_MS = 40;
const TELL_EVERY_MS = 250;
const MAINTAIN_EVERY_MS = 1000;

if (parentPort === null) throw new Error("store-thread.ts runs as a thread of trace-store.ts");
const port = parentPort;
const say = (message: FromStore) => port.postMessage(message);

function sayError(id: number, error: unknown): void {
  const code = error instanceof RinglightError ? error.code : "RL_INTERNAL";
  say({ op: "error", id, code, message: error instanceof Error ? error.message : String(error) });
}

function serve(store: StoreCore): void {
  const watches = new Watches(store, (id, event) => say({ op: "event", id, event }));
  const unanswered: { readonly id: number; readonly value: unknown }[] = [];
  let timer: NodeJS.Timeout | undefined;

  const commit = () => {
    clearTimeout(timer);
    timer = undefined;
    if (!store.waiting && unanswered.length === 0) return;
    const answers = unanswered.splice(0);
    try {
      watches.note(store.commit(Date.now()));
      for (const { id, value } of answers) say({ op: "result", id, value });
    } catch (error) {
      for (const { id } of answers) sayError(id, error);
    }
  };
  const soon = () => {
    timer ??= setTimeout(commit, COMMIT_AFTER_MS);
  };
  const telling = setInterval(() => watches.tell(), TELL_EVERY_MS);
  const maintaining = setInterval(() => store.maintain(Date.now()), MAINTAIN_EVERY_MS);

  const answer = (id: number, work: () => unknown) => {
    // Who asks sees what was acknowledged before.
    commit();
    try {
      const value = work();
      if (value !== undefined) say({ op: "result", id, value });
    } catch (error) {
      sayError(id, error);
    }
  };

  port.on("message", (message: ToStore) => {
    switch (message.op) {
      case "ingest":
        try {
          unanswered.push({ id: message.id, value: store.take(message.signal, message.body, Date.now()) });
          // No more come before these are answered: to wait for company would be to stand still.
          if (unanswered.length >= INGEST_WINDOW) commit();
          else soon();
        } catch (error) {
          sayError(message.id, error);
        }
        return;
      case "define":
        store.define(message.definitions);
        return;
      case "record":
        store.record(message.batch);
        soon();
        return;
      case "call":
        answer(message.id, () => {
          // The types of both sides are the store's own: see ArgumentsOf.
          const method = store[message.method].bind(store) as (...args: readonly unknown[]) => unknown;
          return { found: method(...message.args) };
        });
        return;
      case "watch":
        answer(message.id, () => watches.watchTraces(message.id, message.traces));
        return;
      case "tail":
        answer(message.id, () => watches.watchLogs(message.id, message.logs));
        return;
      case "unwatch":
        watches.stop(message.id);
        return;
      case "close":
        commit();
        clearInterval(telling);
        clearInterval(maintaining);
        store.close(Date.now());
        say({ op: "closed" });
        port.close();
    }
  });
}

try {
  const store = new StoreCore(workerData as StoreOptions);
  serve(store);
  say({ op: "started", putAside: store.putAside });
} catch (error) {
  const code = error instanceof RinglightError ? error.code : "RL_INTERNAL";
  say({ op: "failed", code, message: error instanceof Error ? error.message : String(error) });
}

/**
 * Loaded into a worker by --import, it makes every request cost BENCH_SLOW_US microseconds of processor time more: the regression
 * that `bench self-check` must find. Never loaded otherwise.
 */
import type { EventEmitter } from "node:events";
import { Server, type Socket } from "node:net";

const slowUs = Number(process.env.BENCH_SLOW_US ?? "0");

function spin(): void {
  const until = performance.now() + slowUs / 1000;
  while (performance.now() < until);
}

if (slowUs > 0) {
  const server = Server.prototype as EventEmitter;
  const { emit } = server;
  server.emit = function (this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
    // Before the server's own listener: the request waits for it.
    if (event === "connection") (args[0] as Socket).on("data", spin);
    return emit.call(this, event, ...args);
  };
}

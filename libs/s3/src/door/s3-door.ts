/**
 * The door of the S3 port: a net server whose connections are read by a strict parser of plain reads (connection.ts) as long
 * as they carry nothing else, with node:http behind it for everything else.
 */
import type { Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { endTurn } from "@ringlight/core";
import type { S3Handler } from "../handler.ts";
import { DoorConnection } from "./connection.ts";
import { type HitSource, MAX_ANSWER_HEAD_BYTES } from "./hit.ts";
import {
  copyingSender,
  hasDescriptor,
  type PageSender,
  type PageSenderFactory,
  type SenderEvents,
} from "./page-sender.ts";

/** How often connections of node:http that fell idle since are closed, while the door closes, milliseconds. */
const CLOSING_MS = 50;
/** How often connections are looked at for what takes too long, milliseconds. */
const TICK_MS = 1_000;
/** Heads of hits that wait for the end of a turn at most. */
const HEADS_A_TURN = 16;

/** What the door is made of. */
export interface S3DoorOptions {
  /** Takes the connections that carry more than plain reads; never listens itself. Its timeouts hold for those. */
  readonly httpServer: HttpServer;
  /** Answers the reads that are no hits. */
  readonly handler: S3Handler;
  /** Answers hits; none: every read goes to the handler. */
  readonly hits?: HitSource;
  /** How the bytes of hits are sent; default: by reading and writing. */
  readonly sender?: PageSenderFactory;
  /** How long an idle connection is kept, milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** Longest time for a request's head to arrive, milliseconds. */
  readonly headTimeoutMs: number;
  /** A client that takes nothing of a hit for so long is cut off, milliseconds. */
  readonly stallTimeoutMs: number;
}

/** A listening door. */
export class S3Door {
  readonly options: S3DoorOptions;
  /** To be told to listen. */
  readonly server: Server;
  readonly #headBuffers = Array.from({ length: HEADS_A_TURN }, () => Buffer.allocUnsafeSlow(MAX_ANSWER_HEAD_BYTES));
  #headBuffer = 0;
  /** Counts seconds. */
  ticks = 1;
  closing = false;
  readonly #connections = new Set<DoorConnection>();
  readonly #timer: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  constructor(options: S3DoorOptions) {
    this.options = options;
    // Half-open, because a client may end its side when it has asked; without delay, because heads are whole.
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    // node:http prepares the timeouts of its connections when it begins to listen, which this one does not do by itself.
    options.httpServer.emit("listening");
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** For connections: makes what sends a connection's hits. */
  senderOf(socket: Socket, events: SenderEvents): PageSender {
    const { sender } = this.options;
    return (sender !== undefined && hasDescriptor(socket) ? sender : copyingSender)(socket, events);
  }

  /** For connections: where the head of the next hit is written. It is in use until the end of the turn once it is kept. */
  get headBuffer(): Buffer {
    return this.#headBuffers[this.#headBuffer]!;
  }

  /** For connections: the head is kept until it is sent. */
  keepHead(): void {
    this.#headBuffer = (this.#headBuffer + 1) % HEADS_A_TURN;
    // The next one may not be sent yet.
    if (this.#headBuffer === 0) endTurn();
  }

  /** For connections: this one is closed or handed over. */
  forget(connection: DoorConnection): void {
    this.#connections.delete(connection);
  }

  /** Takes no more connections, closes idle ones at once and busy ones after their answer or the grace. Idempotent. */
  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  #close(graceMs: number): Promise<void> {
    this.closing = true;
    const { httpServer } = this.options;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const connection of [...this.#connections]) connection.destroy();
        httpServer.closeAllConnections();
      }, graceMs);
      // An answer that is just going out leaves its connection idle a moment after the others were closed.
      const idle = setInterval(() => httpServer.closeIdleConnections(), CLOSING_MS);
      this.server.close(() => {
        clearTimeout(timer);
        clearInterval(idle);
        clearInterval(this.#timer);
        resolve();
      });
      // Ends its timers and closes its idle connections; it never listened, which is no news.
      httpServer.close(() => undefined);
      for (const connection of [...this.#connections]) if (connection.idle) connection.destroy();
    });
  }

  #accept(socket: Socket): void {
    this.#connections.add(new DoorConnection(this, socket));
  }

  #tick(): void {
    this.ticks++;
    // What came in time is read first, for this thread may have stood still: a request that nobody will answer must not be begun.
    setImmediate(() => {
      const nowMs = performance.now();
      for (const connection of this.#connections) connection.checkTime(nowMs);
    });
  }
}

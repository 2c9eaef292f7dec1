/**
 * Two ways to send a hit: by sendfile(2) where the addon is there, else by reading into pooled buffers and writing these,
 * to the descriptor as long as the client takes them: the socket's stream in between costs a tenth of a small answer.
 * Both send as much as the client takes and no more, and leave the event loop to others after a few MiB.
 */
import { readSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { sendInCompany, type TurnSender } from "@ringlight/core";
import { AGAIN, type Native, type WriteWatcher } from "@ringlight/native";
import type { HitAnswer } from "./hit.ts";

/** Bytes that one connection may send before others get their turn. */
const TURN_BYTES = 4 * 1024 * 1024;
/** Answers up to this length are sent together with others at the end of the turn: sending a longer one takes longer than waking its client. */
const SMALL_BYTES = 64 * 1024;
/** One buffer of the copying way; a connection has one in use at most. */
const CHUNK_BYTES = 256 * 1024;
/** Buffers kept for later. */
const MAX_KEPT_CHUNKS = 64;

/** Told how sending goes. */
export interface SenderEvents {
  /** Bytes of the body went out. */
  onProgress(bytes: number): void;
  /** No page is left; `answer.rest` says what is. */
  onPagesSent(): void;
  /** The connection cannot go on. */
  onFailed(): void;
}

/** Sends one hit after the other over one connection. */
export interface PageSender {
  /**
   * Begins an answer.
   * @param head holds the answer's head
   * @param isLast false where more is to be sent in this turn anyway: the answer is not put off to its end
   * @returns whether the head is in use until the end of the turn, and not only until the call ends
   */
  send(answer: HitAnswer, head: Buffer, isLast: boolean): boolean;
  /** Forgets the answer; nothing is told any more. Idempotent. */
  close(): void;
}

/** Makes the sender of a connection. */
export type PageSenderFactory = (socket: Socket, events: SenderEvents) => PageSender;

/** Sends by sendfile(2). */
export function sendfileSender(native: Native): PageSenderFactory {
  return (socket, events) => new SendfileSender(native, socket, events);
}

class SendfileSender implements PageSender, TurnSender {
  readonly #native: Native;
  readonly #socket: Socket;
  readonly #events: SenderEvents;
  readonly #fd: number;
  #watcher: WriteWatcher | undefined;
  #answer: HitAnswer | undefined;
  #head: Buffer = NO_BYTES;
  #headAt = 0;
  #headLeft = 0;
  #position = 0;
  #left = 0;

  constructor(native: Native, socket: Socket, events: SenderEvents) {
    this.#native = native;
    this.#socket = socket;
    this.#events = events;
    this.#fd = descriptorOf(socket);
  }

  send(answer: HitAnswer, head: Buffer, isLast: boolean): boolean {
    this.#answer = answer;
    this.#head = head;
    this.#headAt = 0;
    this.#headLeft = answer.headLength;
    this.#position = answer.position;
    this.#left = answer.lengthBytes;
    if (isLast && answer.lengthBytes <= SMALL_BYTES && sendInCompany(this)) return true;
    this.#turn(true);
    return false;
  }

  /** For the end of the turn. */
  sendNow(): void {
    this.#turn(true);
  }

  #turn(headIsShared: boolean): void {
    const answer = this.#answer;
    // The descriptor of a destroyed socket is closed, and may be another connection's by now.
    if (answer === undefined || this.#socket.destroyed) return;
    let budget = TURN_BYTES;
    for (;;) {
      const wanted = Math.min(this.#left, budget);
      const head = this.#headLeft;
      const sent = this.#native.sendFile(this.#fd, this.#head, this.#headAt, head, answer.fd, this.#position, wanted);
      if (sent < 0) {
        if (sent === AGAIN) this.#wait(headIsShared);
        else this.#fail(sent);
        return;
      }
      const ofHead = Math.min(sent, head);
      const ofBody = sent - ofHead;
      this.#headAt += ofHead;
      this.#headLeft -= ofHead;
      this.#position += ofBody;
      this.#left -= ofBody;
      budget -= ofBody;
      this.#events.onProgress(ofBody);
      if (ofBody < wanted || this.#headLeft > 0) {
        this.#wait(headIsShared);
        return;
      }
      if (this.#left === 0) {
        if (!answer.next()) {
          this.#answer = undefined;
          this.#events.onPagesSent();
          return;
        }
        this.#position = answer.position;
        this.#left = answer.lengthBytes;
      }
      if (budget <= 0) {
        setImmediate(() => this.#turn(false));
        return;
      }
    }
  }

  /** The socket is full. */
  #wait(headIsShared: boolean): void {
    if (headIsShared && this.#headLeft > 0) {
      this.#head = Buffer.from(this.#head.subarray(this.#headAt, this.#headAt + this.#headLeft));
      this.#headAt = 0;
    }
    try {
      this.#watcher ??= this.#native.watchWritable(this.#fd, () => this.#turn(false));
      this.#watcher.arm();
    } catch {
      // No descriptor is left for the watcher.
      this.#fail(0);
    }
  }

  #fail(code: number): void {
    if (code === NO_DATA || code === IO_ERROR || code === BAD_ADDRESS) this.#answer?.damaged();
    this.#answer = undefined;
    this.#events.onFailed();
  }

  close(): void {
    this.#answer = undefined;
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

const NO_BYTES = Buffer.alloc(0);
/** -ENODATA: the file ends before the page does. */
const NO_DATA = -61;
/** -EIO */
const IO_ERROR = -5;
/** -EFAULT: the same of a file that is mapped. */
const BAD_ADDRESS = -14;

/** The descriptor of a connection. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  return handle?.fd ?? -1;
}

/** True for a connection whose bytes may be sent around its stream. */
export function hasDescriptor(socket: Socket): boolean {
  return descriptorOf(socket) >= 0;
}

const keptChunks: Buffer[] = [];

/** Sends by reading and writing. */
export const copyingSender: PageSenderFactory = (socket, events) => new CopyingSender(socket, events);

class CopyingSender implements PageSender, TurnSender {
  readonly #socket: Socket;
  readonly #events: SenderEvents;
  readonly #fd: number;
  #answer: HitAnswer | undefined;
  #head: Buffer = NO_BYTES;
  #position = 0;
  #left = 0;
  /** In use by the socket until #written. */
  #chunk: Buffer | undefined;
  /** No page is left behind the chunk that is being written. */
  #last = false;
  #bodyInChunk = 0;
  #turnBytes = 0;
  readonly #written = (error?: Error | null) => this.#onWritten(error);

  constructor(socket: Socket, events: SenderEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#fd = descriptorOf(socket);
  }

  send(answer: HitAnswer, head: Buffer, isLast: boolean): boolean {
    this.#answer = answer;
    this.#head = head;
    this.#position = answer.position;
    this.#left = answer.lengthBytes;
    this.#last = false;
    if (isLast && answer.lengthBytes <= SMALL_BYTES && sendInCompany(this)) return true;
    this.sendNow();
    return false;
  }

  /** For the end of the turn. */
  sendNow(): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    const chunk = keptChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#head.copy(chunk, 0, 0, answer.headLength);
    this.#write(answer, chunk, answer.headLength);
  }

  #write(answer: HitAnswer, chunk: Buffer, filled: number): void {
    this.#chunk = chunk;
    let at = filled;
    try {
      for (;;) {
        const wanted = Math.min(this.#left, chunk.length - at);
        if (wanted > 0) {
          const read = readSync(answer.fd, chunk, at, wanted, this.#position);
          if (read === 0) throw new Error("the page's file is too short");
          at += read;
          this.#position += read;
          this.#left -= read;
        }
        if (this.#left === 0) {
          if (!answer.next()) {
            this.#last = true;
            break;
          }
          this.#position = answer.position;
          this.#left = answer.lengthBytes;
        }
        if (at === chunk.length) break;
      }
    } catch {
      answer.damaged();
      this.#answer = undefined;
      this.#keepChunk();
      this.#events.onFailed();
      return;
    }
    this.#bodyInChunk = at - filled;
    const sent = this.#writeNow(chunk, at);
    if (sent === at) this.#onWritten();
    else this.#socket.write(chunk.subarray(sent, at), this.#written);
  }

  /** Bytes of the chunk that the system takes at once, past the stream, which has nothing queued. */
  #writeNow(chunk: Buffer, length: number): number {
    const socket = this.#socket;
    if (this.#fd < 0 || socket.destroyed || socket.writableLength > 0) return 0;
    try {
      return writeSync(this.#fd, chunk, 0, length);
    } catch {
      // It takes none now, or has failed: the stream waits, or tells why.
      return 0;
    }
  }

  #onWritten(error?: Error | null): void {
    const answer = this.#answer;
    const chunk = this.#chunk;
    if (answer === undefined || chunk === undefined) {
      // The connection was given up while the chunk was on its way; the system may still be reading it.
      this.#chunk = undefined;
      return;
    }
    if (error) {
      this.#answer = undefined;
      this.#chunk = undefined;
      this.#events.onFailed();
      return;
    }
    this.#events.onProgress(this.#bodyInChunk);
    if (this.#last) {
      this.#answer = undefined;
      this.#keepChunk();
      this.#events.onPagesSent();
      return;
    }
    this.#turnBytes += chunk.length;
    if (this.#turnBytes < TURN_BYTES) {
      this.#write(answer, chunk, 0);
      return;
    }
    this.#turnBytes = 0;
    setImmediate(() => {
      if (this.#answer === answer) this.#write(answer, chunk, 0);
    });
  }

  #keepChunk(): void {
    if (this.#chunk !== undefined && keptChunks.length < MAX_KEPT_CHUNKS) keptChunks.push(this.#chunk);
    this.#chunk = undefined;
  }

  close(): void {
    this.#answer = undefined;
  }
}

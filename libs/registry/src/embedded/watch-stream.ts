/**
 * One client's watch stream. Every watcher remembers the next revision that it has to see, and is fed from the store's
 * history: a watcher that has just come with a start revision, one that fell behind a slow reader, and one that is up to
 * date are the same case. A stream that does not drain is not written to; if what its watchers need is compacted meanwhile,
 * they are cancelled with the compaction's revision, as etcd does. So memory is bounded by the history.
 */
import type { Event, WatchCreateRequest, WatchRequest, WatchResponse } from "@ringlight/proto/etcd";
import { Event_EventType, WatchCreateRequest_FilterType } from "@ringlight/proto/etcd";
import type { RegistryEngine } from "./engine.ts";
import { inRange, type KeyRange, keyBytes, rangeOf } from "./key-range.ts";
import { wireKey } from "./kv-operations.ts";
import type { StoreEvent } from "./mvcc-store.ts";

/** What the stream writes to: a grpc-js duplex call. */
export interface WatchSink {
  /** False when the reader should be given time; `onDrain` of the stream must be called then. */
  write(response: WatchResponse): boolean;
}

interface Watcher {
  readonly id: number;
  readonly range: KeyRange;
  readonly puts: boolean;
  readonly deletes: boolean;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  nextRevision: number;
  lastSentMs: number;
}

const EVENTS_PER_RESPONSE = 1_000;
const STREAM_WIDE_ID = -1;
const NO_VALUE = Buffer.alloc(0);

export class WatchStream {
  readonly #engine: RegistryEngine;
  readonly #sink: WatchSink;
  readonly #watchers = new Map<number, Watcher>();
  #nextId = 0;
  #blocked = false;
  #progressWanted = false;

  constructor(engine: RegistryEngine, sink: WatchSink) {
    this.#engine = engine;
    this.#sink = sink;
  }

  /** Handles one message of the client. */
  receive(request: WatchRequest): void {
    if (request.createRequest) this.#create(request.createRequest);
    else if (request.cancelRequest) this.#cancel(request.cancelRequest.watchId);
    else if (request.progressRequest) {
      this.#progressWanted = true;
      this.pump();
    }
  }

  /** Sends whatever is due. To be called after each commit. */
  pump(): void {
    for (const watcher of this.#watchers.values()) this.#feed(watcher);
    if (this.#progressWanted && !this.#blocked) {
      this.#progressWanted = false;
      this.#send({ watchId: STREAM_WIDE_ID });
    }
  }

  /** The reader has caught up. */
  onDrain(): void {
    this.#blocked = false;
    this.pump();
  }

  /** Tells watchers that asked for it, and have had nothing for `idleMs`, how far the store has come. */
  notifyProgress(nowMs: number, idleMs: number): void {
    for (const watcher of this.#watchers.values()) {
      if (!watcher.progressNotify || this.#blocked) continue;
      if (watcher.lastSentMs === 0) watcher.lastSentMs = nowMs;
      if (nowMs - watcher.lastSentMs < idleMs) continue;
      watcher.lastSentMs = nowMs;
      this.#send({ watchId: watcher.id });
    }
  }

  #create(request: WatchCreateRequest): void {
    let id = request.watchId;
    if (id !== 0 && this.#watchers.has(id)) {
      this.#send({
        watchId: STREAM_WIDE_ID,
        created: true,
        canceled: true,
        cancelReason: "duplicate watch ID provided",
      });
      return;
    }
    if (id === 0) {
      while (this.#watchers.has(this.#nextId)) this.#nextId++;
      id = this.#nextId++;
    }
    const range = rangeOf(request.key.length === 0 ? Buffer.from([0]) : request.key, request.rangeEnd);
    const watcher: Watcher = {
      id,
      range,
      puts: !request.filters.includes(WatchCreateRequest_FilterType.NOPUT),
      deletes: !request.filters.includes(WatchCreateRequest_FilterType.NODELETE),
      prevKv: request.prevKv,
      progressNotify: request.progressNotify,
      nextRevision: request.startRevision > 0 ? request.startRevision : this.#engine.visibleRevision + 1,
      lastSentMs: 0,
    };
    this.#watchers.set(id, watcher);
    this.#send({ watchId: id, created: true });
    this.#feed(watcher);
  }

  #cancel(id: number): void {
    if (this.#watchers.delete(id)) this.#send({ watchId: id, canceled: true });
  }

  #feed(watcher: Watcher): void {
    const { visibleRevision, store } = this.#engine;
    if (watcher.nextRevision > visibleRevision) return;
    if (watcher.nextRevision < store.compactRevision) {
      // Created and cancelled are two messages, so that a client knows the watcher that is cancelled.
      this.#watchers.delete(watcher.id);
      this.#send({ watchId: watcher.id, canceled: true, compactRevision: store.compactRevision });
      return;
    }
    let events: Event[] = [];
    for (const entry of store.entriesFrom(watcher.nextRevision)) {
      if (this.#blocked) return;
      if (entry.revision > visibleRevision) break;
      for (const event of entry.events)
        if (wants(watcher, event)) events.push(wireEvent(event, entry.revision, watcher.prevKv));
      watcher.nextRevision = entry.revision + 1;
      // Never within a revision: its events belong together.
      if (events.length >= EVENTS_PER_RESPONSE) {
        this.#sendEvents(watcher, events, entry.revision);
        events = [];
      }
    }
    watcher.nextRevision = Math.max(watcher.nextRevision, visibleRevision + 1);
    if (events.length > 0) this.#sendEvents(watcher, events, visibleRevision);
  }

  #sendEvents(watcher: Watcher, events: Event[], revision: number): void {
    watcher.lastSentMs = 0;
    this.#send({ watchId: watcher.id, events, header: this.#engine.header(revision) });
  }

  #send(response: Partial<WatchResponse>): void {
    const drained = this.#sink.write({
      header: this.#engine.header(this.#engine.visibleRevision),
      watchId: 0,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: "",
      fragment: false,
      events: [],
      ...response,
    });
    if (!drained) this.#blocked = true;
  }
}

function wants(watcher: Watcher, event: StoreEvent): boolean {
  return (event.current === undefined ? watcher.deletes : watcher.puts) && inRange(event.key, watcher.range);
}

function wireEvent(event: StoreEvent, revision: number, withPrevious: boolean): Event {
  return {
    type: event.current === undefined ? Event_EventType.DELETE : Event_EventType.PUT,
    kv:
      event.current === undefined
        ? { key: keyBytes(event.key), createRevision: 0, modRevision: revision, version: 0, value: NO_VALUE, lease: 0 }
        : wireKey(event.current),
    prevKv: withPrevious && event.previous !== undefined ? wireKey(event.previous) : undefined,
  };
}

/** The gRPC services of the embedded registry: etcd's methods, each turned into one call of the engine. */
import {
  type handleUnaryCall,
  type Server,
  type ServerDuplexStream,
  type ServerErrorResponse,
  status,
} from "@grpc/grpc-js";
import {
  ClusterService,
  KVService,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  LeaseService,
  MaintenanceService,
  type Member,
  type WatchRequest,
  type WatchResponse,
  WatchService,
} from "@ringlight/proto/etcd";
import type { RegistryEngine } from "./engine.ts";
import { EtcdStatusError } from "./etcd-error.ts";
import { keyBytes } from "./key-range.ts";
import { deleteRange, put, range, txn } from "./kv-operations.ts";
import { WatchStream } from "./watch-stream.ts";

/** The etcd version whose API this is a subset of. */
const API_VERSION = "3.4.0";
type KeepAliveCall = ServerDuplexStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

const PROGRESS_TICK_MS = 10_000;
const PROGRESS_IDLE_MS = 60_000;

/** What the services say of the server itself. */
export interface ServiceContext {
  readonly engine: RegistryEngine;
  /** URL that clients can use, known once the server listens. */
  readonly clientUrl: () => string;
  readonly onError: (error: unknown) => void;
}

/** Adds all services to the server. Returns a function that ends the open streams. */
export function addServices(server: Server, context: ServiceContext): () => void {
  const { engine } = context;
  server.addService(KVService, {
    range: unary(context, (request) => range(engine, request)),
    put: unary(context, (request) => put(engine, request)),
    deleteRange: unary(context, (request) => deleteRange(engine, request)),
    txn: unary(context, (request) => txn(engine, request)),
    compact: unary(context, (request) => {
      engine.compact(request.revision);
      return { header: engine.header() };
    }),
  });
  server.addService(LeaseService, {
    leaseGrant: unary(context, (request) => {
      const lease = engine.grantLease(request.ID, request.TTL);
      return { header: engine.header(), ID: lease.id, TTL: lease.ttlS, error: "" };
    }),
    leaseRevoke: unary(context, (request) => {
      engine.revokeLease(request.ID);
      return { header: engine.header() };
    }),
    leaseKeepAlive: (call: KeepAliveCall) => serveKeepAlive(context, call),
    leaseTimeToLive: unary(context, (request) => {
      const lease = engine.leases.get(request.ID);
      return {
        header: engine.header(),
        ID: request.ID,
        TTL: lease === undefined ? -1 : engine.leases.remainingS(lease),
        grantedTTL: lease?.ttlS ?? 0,
        keys: request.keys && lease !== undefined ? [...lease.keys].sort().map(keyBytes) : [],
      };
    }),
    leaseLeases: unary(context, () => ({
      header: engine.header(),
      leases: engine.leases.ids().map((ID) => ({ ID })),
    })),
  });
  server.addService(ClusterService, {
    memberList: unary(context, () => ({ header: engine.header(), members: [member(context)] })),
  });
  server.addService(MaintenanceService, {
    alarm: unary(context, () => ({ header: engine.header(), alarms: [] })),
    status: unary(context, () => {
      const header = engine.header();
      return {
        header,
        version: API_VERSION,
        dbSize: engine.diskBytes,
        leader: engine.memberId,
        raftIndex: header.revision,
        raftTerm: header.raftTerm,
        raftAppliedIndex: header.revision,
        errors: [],
        dbSizeInUse: engine.diskBytes,
        isLearner: false,
      };
    }),
  });
  return addWatchService(server, context);
}

function addWatchService(server: Server, { engine, onError }: ServiceContext): () => void {
  const streams = new Map<ServerDuplexStream<WatchRequest, WatchResponse>, WatchStream>();
  engine.onCommit(() => {
    for (const stream of streams.values()) stream.pump();
  });
  const ticker = setInterval(() => {
    const now = performance.now();
    for (const stream of streams.values()) stream.notifyProgress(now, PROGRESS_IDLE_MS);
  }, PROGRESS_TICK_MS);
  server.addService(WatchService, {
    watch: (call: ServerDuplexStream<WatchRequest, WatchResponse>) => {
      const stream = new WatchStream(engine, call);
      streams.set(call, stream);
      const leave = () => streams.delete(call);
      call.on("data", (request: WatchRequest) => stream.receive(request));
      call.on("drain", () => stream.onDrain());
      call.on("end", () => {
        leave();
        call.end();
      });
      call.on("cancelled", leave);
      call.on("close", leave);
      call.on("error", (error) => {
        leave();
        onError(error);
      });
    },
  });
  return () => {
    clearInterval(ticker);
    for (const call of streams.keys()) call.end();
    streams.clear();
  };
}

function serveKeepAlive({ engine, onError }: ServiceContext, call: KeepAliveCall): void {
  let open = true;
  const leave = () => {
    open = false;
  };
  call.on("data", (request: LeaseKeepAliveRequest) => {
    engine
      .run(() => ({ header: engine.header(), ID: request.ID, TTL: engine.leases.keepAlive(request.ID) }))
      .then(
        (response) => {
          if (open) call.write(response);
        },
        (error: unknown) => {
          if (open) call.emit("error", statusOf(error));
        },
      );
  });
  call.on("end", () => {
    // What was asked before the end is answered before it: the engine answers at the end of this turn at the latest.
    setImmediate(() => setImmediate(() => open && call.end()));
  });
  call.on("cancelled", leave);
  call.on("close", leave);
  call.on("error", (error) => {
    leave();
    onError(error);
  });
}

/** A unary method that runs on the engine and is answered when durable. */
function unary<Req, Res>(context: ServiceContext, operation: (request: Req) => Res): handleUnaryCall<Req, Res> {
  return (call, callback) => {
    context.engine
      .run(() => operation(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => {
          if (!(error instanceof EtcdStatusError)) context.onError(error);
          callback(statusOf(error));
        },
      );
  };
}

function statusOf(error: unknown): ServerErrorResponse {
  if (error instanceof EtcdStatusError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(message), { code: status.INTERNAL, details: message });
}

function member({ engine, clientUrl }: ServiceContext): Member {
  return { ID: engine.memberId, name: "embedded", peerURLs: [], clientURLs: [clientUrl()], isLearner: false };
}

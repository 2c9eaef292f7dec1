/** Connections of gRPC clients. */
import {
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientOptions,
  credentials,
  InterceptingCall,
  type Interceptor,
} from "@grpc/grpc-js";

/** Largest message either side takes. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** HTTP/2 window of a connection and of each stream: the default of 64 KiB starves streams of pages. */
export const FLOW_CONTROL_WINDOW_BYTES = 8 * 1024 * 1024;

const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 5_000,
  // The name server has nothing to say about our services, and a proxy has no business between workers.
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
};

/** Options of a connection. */
export interface ConnectOptions {
  /** The cluster token, sent with every call. */
  readonly token?: string | undefined;
  /** Deadline of a unary call that names none, milliseconds; 10000 if left out. */
  readonly deadlineMs?: number | undefined;
}

/** Constructor of a generated client. */
export type ClientConstructor<C extends Client> = new (
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
) => C;

const DEFAULT_DEADLINE_MS = 10_000;
const deadlineOfClient = new WeakMap<Client, number>();

/** A client for `host:port`. Connects with its first call, and again by itself after 100 to 1000 ms. */
export function connectGrpc<C extends Client>(
  service: ClientConstructor<C>,
  address: string,
  options: ConnectOptions = {},
): C {
  const interceptors = options.token === undefined ? [] : [sendToken(options.token)];
  const client = new service(address, credentials.createInsecure(), { ...CHANNEL_OPTIONS, interceptors });
  deadlineOfClient.set(client, options.deadlineMs ?? DEFAULT_DEADLINE_MS);
  return client;
}

/** Deadline of unary calls of a client that name none, milliseconds. */
export function defaultDeadlineMs(client: Client): number {
  return deadlineOfClient.get(client) ?? DEFAULT_DEADLINE_MS;
}

/** Address that a client is connected to: "127.0.0.1:29999". */
export function addressOf(client: Client): string {
  return client
    .getChannel()
    .getTarget()
    .replace(/^[a-z0-9+.-]+:(\/*)(?=.*:)/i, "");
}

function sendToken(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set("authorization", `Bearer ${token}`);
        next(metadata, listener);
      },
    });
}

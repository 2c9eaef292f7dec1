/** grpc.health.v1.Health, as load balancers and probes ask for it. Its two messages have one field each: written by hand. */

import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";
import { serverStream, unary } from "./handlers.ts";

/** Path prefix of the service: it needs no token. */
const HEALTH_SERVICE = "grpc.health.v1.Health";

interface HealthCheckRequest {
  readonly service: string;
}

interface HealthCheckResponse {
  /** 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN (in Watch only). */
  readonly status: 1 | 2 | 3;
}

/** `string service = 1`, nothing else in the message. */
function decodeRequest(bytes: Buffer): HealthCheckRequest {
  if (bytes.length === 0) return { service: "" };
  if (bytes[0] !== 0x0a || bytes[1] === undefined || bytes[1] > 127) {
    throw new RinglightError("RL_BAD_REQUEST", "a HealthCheckRequest holds one name of at most 127 bytes");
  }
  return { service: bytes.toString("utf8", 2, 2 + bytes[1]) };
}

function encodeRequest(request: HealthCheckRequest): Buffer {
  const name = Buffer.from(request.service);
  return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

const method = (name: string, responseStream: boolean) => ({
  path: `/${HEALTH_SERVICE}/${name}`,
  requestStream: false as const,
  responseStream,
  requestSerialize: encodeRequest,
  requestDeserialize: decodeRequest,
  /** `ServingStatus status = 1`. */
  responseSerialize: (response: HealthCheckResponse) => Buffer.from([0x08, response.status]),
  responseDeserialize: (bytes: Buffer): HealthCheckResponse => ({ status: (bytes[1] ?? 0) as 1 | 2 | 3 }),
});

/** The service's definition for grpc-js. */
export const healthDefinition = {
  check: method("Check", false),
  watch: method("Watch", true),
} satisfies ServiceDefinition;

/** Health of the named services: serving until `stop` is called. */
export function healthService(names: readonly string[]): {
  implementation: UntypedServiceImplementation;
  stop: () => void;
} {
  const known = new Set(["", ...names]);
  const stopping = new AbortController();
  const current = (): HealthCheckResponse => ({ status: stopping.signal.aborted ? 2 : 1 });
  const implementation = {
    check: unary(async (request: HealthCheckRequest) => {
      if (!known.has(request.service)) throw new RinglightError("RL_NOT_FOUND", `no service ${request.service} here`);
      return current();
    }),
    watch: serverStream(async function* (request: HealthCheckRequest, context): AsyncGenerator<HealthCheckResponse> {
      if (!known.has(request.service)) {
        yield { status: 3 };
        await aborted(context.signal);
        return;
      }
      yield current();
      if (stopping.signal.aborted) return;
      await aborted(AbortSignal.any([stopping.signal, context.signal]));
      yield current();
    }),
  };
  return { implementation, stop: () => stopping.abort() };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

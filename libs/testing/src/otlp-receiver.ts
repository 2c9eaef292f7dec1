/** An OTLP/HTTP receiver that keeps what it gets. Field numbers from opentelemetry-proto. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { gunzipSync } from "node:zlib";

/** A protobuf message as fields: numbers and bytes by field number. Enough of the wire format for OTLP. */
export type OtlpFields = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

/** The fields of a message. */
export function fieldsOf(bytes: Buffer): OtlpFields {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const type = tag & 7;
    const value =
      type === 0
        ? varint()
        : type === 1
          ? take(8).readBigUInt64LE()
          : type === 2
            ? take(Number(varint()))
            : BigInt(take(4).readUInt32LE());
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

/** The bytes of a field. */
export const bytesAt = (fields: OtlpFields, field: number): Buffer => {
  const value = fields.get(field)?.[0];
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
};
/** The nested messages of a field. */
export const messagesAt = (fields: OtlpFields, field: number): OtlpFields[] =>
  (fields.get(field) ?? []).flatMap((value) => (Buffer.isBuffer(value) ? [fieldsOf(value)] : []));
/** KeyValues of a field: strings and whole numbers. */
export const attributesAt = (fields: OtlpFields, field: number): Record<string, string | bigint | undefined> =>
  Object.fromEntries(
    messagesAt(fields, field).map((pair) => {
      const value = fieldsOf(bytesAt(pair, 2));
      const text = value.get(1)?.[0];
      return [
        bytesAt(pair, 1).toString(),
        Buffer.isBuffer(text) ? text.toString() : (value.get(3)?.[0] as bigint | undefined),
      ];
    }),
  );

/** A request that came in: the records of its one resource, and that. */
export interface OtlpRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly records: OtlpFields[];
  readonly resource: Record<string, unknown>;
}

/** A receiver that runs. */
export interface OtlpReceiver {
  readonly requests: readonly OtlpRequest[];
  readonly url: string;
  /** Resolves when `count` requests have come in. */
  received(count: number): Promise<void>;
  close(): void;
}

/** Starts a receiver. @param answer status and headers of the answer to the nth request, from 0 */
export async function startOtlpReceiver(
  answer: (nth: number) => { status: number; headers?: Record<string, string>; body?: Buffer } = () => ({
    status: 200,
  }),
  port = 0,
): Promise<OtlpReceiver> {
  const requests: OtlpRequest[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const resources = messagesAt(fieldsOf(request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw), 1);
    const { status, headers, body } = answer(requests.length);
    response.writeHead(status, { "content-type": "application/x-protobuf", ...headers }).end(body);
    requests.push({
      path: request.url ?? "",
      headers: request.headers,
      records: resources.flatMap((one) => messagesAt(one, 2)).flatMap((scope) => messagesAt(scope, 2)),
      resource: Object.assign({}, ...resources.flatMap((one) => messagesAt(one, 1)).map((one) => attributesAt(one, 1))),
    });
    for (const wake of waiting) wake();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    requests,
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    received: async (count) => {
      while (requests.length < count) {
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
        });
      }
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A span as it came in, in words. */
export interface OtlpSpan {
  readonly service: string;
  /** service.instance.id */
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  /** "" for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Record<string, string | bigint | undefined>;
}

/** All spans that a receiver has taken. */
export function spansOf({ requests }: OtlpReceiver): OtlpSpan[] {
  return requests
    .filter(({ path }) => path === "/v1/traces")
    .flatMap(({ records, resource }) =>
      records.map((span) => ({
        service: String(resource["service.name"]),
        instance: String(resource["service.instance.id"]),
        traceId: bytesAt(span, 1).toString("hex"),
        spanId: bytesAt(span, 2).toString("hex"),
        parentSpanId: bytesAt(span, 4).toString("hex"),
        name: bytesAt(span, 5).toString(),
        attributes: attributesAt(span, 9),
      })),
    );
}

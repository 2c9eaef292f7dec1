/** Lines of target files: requests that are plain, presigned, or signed one by one. */
import { type Credentials, presignUrl, signRequest, UNSIGNED_PAYLOAD } from "@ringlight/sigv4";
import { BUCKET } from "./stage.ts";

const REGION = "us-east-1";
const EXPIRES_S = 24 * 3600;

/** Whom a request goes to, and as whom. */
export interface Door {
  readonly port: number;
  /** Absent for requests without a signature. */
  readonly credentials?: Credentials;
  /** Bucket; the benchmark's own when left out. */
  readonly bucket?: string;
}

/** A GET: plain, or presigned where the door has credentials. `key` must not need percent-encoding. */
export function getLine(door: Door, key: string): string {
  const path = `/${door.bucket ?? BUCKET}/${key}`;
  if (door.credentials === undefined) return `GET ${path}`;
  const url = presignUrl(
    { method: "GET", url: new URL(`http://127.0.0.1:${door.port}${path}`), headers: {} },
    { credentials: door.credentials, region: REGION, expiresS: EXPIRES_S },
  );
  return `GET ${url.pathname}${url.search}`;
}

/** A request signed by header, as SDKs do; `date` and `headers` make its signature another one. */
export function signedLine(
  door: Required<Pick<Door, "credentials">> & Door,
  method: "GET" | "PUT",
  key: string,
  options: { readonly date?: Date; readonly headers?: Readonly<Record<string, string>> } = {},
): string {
  const path = `/${door.bucket ?? BUCKET}/${key}`;
  const signed = signRequest(
    { method, url: new URL(`http://127.0.0.1:${door.port}${path}`), headers: options.headers ?? {} },
    {
      credentials: door.credentials,
      region: REGION,
      ...(options.date && { date: options.date }),
      ...(method === "PUT" && { payloadHash: UNSIGNED_PAYLOAD }),
    },
  );
  return [`${method} ${path}`, ...Object.entries(signed).map(([name, value]) => `${name}: ${value}`)].join("\t");
}

/** Signed GETs of scattered ranges: no two lines have the same signature. */
export function distinctlySigned(
  door: Required<Pick<Door, "credentials">> & Door,
  options: {
    readonly keys: readonly string[];
    readonly bytes: number;
    readonly objectBytes: number;
    readonly count: number;
    readonly salt: number;
  },
): string[] {
  const slots = Math.floor(options.objectBytes / options.bytes);
  const now = Date.now();
  return Array.from({ length: options.count }, (_, index) => {
    const at = index + options.salt * options.count;
    const start = ((at * 40_503) % slots) * options.bytes;
    return signedLine(door, "GET", options.keys[at % options.keys.length] ?? "", {
      // A second more each time that all ranges have been used, within the skew that servers allow.
      date: new Date(now - (Math.floor(at / slots) % 300) * 1000),
      headers: { range: `bytes=${start}-${start + options.bytes - 1}` },
    });
  });
}

/** Lines for every object of a run. */
export function getLines(door: Door, objects: { readonly prefix: string; readonly count: number }): string[] {
  return Array.from({ length: objects.count }, (_, index) => getLine(door, `${objects.prefix}${index}`));
}

/** The worker's S3 port: the door with its hit path, and the way in which page bytes leave. */
import { createServer } from "node:http";
import { loadNative, type Native } from "@ringlight/native";
import {
  copyingSender,
  type HitSource,
  type PageSenderFactory,
  S3Door,
  type S3Handler,
  sendfileSender,
} from "@ringlight/s3";
import type { TextSigner } from "@ringlight/sigv4";

/** How long an idle connection of an S3 client is kept, milliseconds. */
export const S3_KEEP_ALIVE_MS = 60_000;
/** Longest time for the head of an S3 request to arrive, milliseconds. */
const S3_HEADERS_MS = 30_000;
/** A client that takes nothing for so long is cut off, milliseconds. */
const S3_STALL_MS = 60_000;

/** The way in which page bytes leave. */
export interface DataPath {
  readonly name: "sendfile" | "typescript";
  /** Why it is not sendfile; for people. */
  readonly reason?: string;
  readonly sender: PageSenderFactory;
  /** Keeps pages mapped for the sender. */
  readonly mapper?: Pick<Native, "mapPage" | "unmapPage">;
  /** Makes signatures of requests; node:crypto does where there is none. */
  readonly signer?: TextSigner;
}

/** Chooses the way: sendfile(2) where the addon is there and not switched off. */
export function chooseDataPath(setting: "auto" | "off"): DataPath {
  if (setting === "off") return { name: "typescript", reason: "sendfile is off", sender: copyingSender };
  const loaded = loadNative();
  if (loaded.native === undefined) return { name: "typescript", reason: loaded.reason, sender: copyingSender };
  const { native } = loaded;
  return {
    name: "sendfile",
    sender: sendfileSender(native),
    mapper: native,
    ...(native.signer && { signer: native.signer }),
  };
}

/** The way as the log and /readyz name it: "sendfile", or "typescript (why)". */
export function describeDataPath({ name, reason }: DataPath): string {
  return reason === undefined ? name : `${name} (${reason})`;
}

/** Makes the door of one S3 port; the caller listens and closes. */
export function createS3Door(handler: S3Handler, hits: HitSource, dataPath: DataPath): S3Door {
  const httpServer = createServer({ maxHeaderSize: 64 * 1024, keepAliveTimeout: S3_KEEP_ALIVE_MS }, handler);
  // Without a listener of its own node would answer "100 Continue" before the handler has refused the body.
  httpServer.on("checkContinue", handler);
  // Any other expectation means nothing to S3, and is no reason to refuse.
  httpServer.on("checkExpectation", handler);
  // A large upload may take its time; a body that stops coming is the handler's to end.
  httpServer.requestTimeout = 0;
  httpServer.headersTimeout = S3_HEADERS_MS;
  return new S3Door({
    httpServer,
    handler,
    hits,
    sender: dataPath.sender,
    keepAliveTimeoutMs: S3_KEEP_ALIVE_MS,
    headTimeoutMs: S3_HEADERS_MS,
    stallTimeoutMs: S3_STALL_MS,
  });
}

/** The body of a write: decoded, and verified against everything that came with it. */
import { createHash, type Hash } from "node:crypto";
import { createChecksum, isChecksumBase64, type RunningChecksum } from "@ringlight/checksum";
import { RinglightError, type UfsWriteBody } from "@ringlight/core";
import type { ChunkSigner } from "@ringlight/sigv4";
import { S3Error } from "../s3-error.ts";
import { AwsChunkedDecoder, type ChunkSink, incompleteBody, malformedTrailer } from "./aws-chunked.ts";
import { CHECKSUM_HEADERS } from "./checksum-headers.ts";
import type { Payload } from "./payload.ts";

const TRAILER_SIGNATURE = "x-amz-trailer-signature";

function mismatch(): S3Error {
  return new S3Error(
    "SignatureDoesNotMatch",
    "The chunk signature we calculated does not match the signature you provided.",
  );
}

/** Everything that the bytes of one body must agree with. */
class Verification implements ChunkSink {
  readonly #payload: Payload;
  readonly #signer: ChunkSigner | undefined;
  readonly #sha256: Hash | undefined;
  readonly #md5: Hash | undefined;
  readonly #checksum: RunningChecksum | undefined;
  #length = 0;
  #trailerLines = "";
  #trailerSignature: string | undefined;
  /** What was sent as the checksum, by header or trailer. */
  sentChecksum: string | undefined;

  constructor(payload: Payload, signer: ChunkSigner | undefined) {
    this.#payload = payload;
    this.#signer = signer;
    this.#sha256 = payload.sha256 === undefined ? undefined : createHash("sha256");
    this.#md5 = payload.contentMd5 === undefined ? undefined : createHash("md5");
    this.#checksum = payload.checksum && createChecksum(payload.checksum.algorithm);
    this.sentChecksum = payload.checksum?.value;
  }

  /** Takes decoded bytes. */
  take(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#length > this.#payload.lengthBytes) throw incompleteBody();
    this.#sha256?.update(piece);
    this.#md5?.update(piece);
    this.#checksum?.update(piece);
  }

  bytes(piece: Uint8Array): void {
    this.#signer?.update(piece);
  }

  chunkEnd(signature: string | undefined): void {
    if (this.#signer && (signature === undefined || !this.#signer.verifyChunk(signature))) throw mismatch();
  }

  trailer(name: string, value: string): void {
    if (name === TRAILER_SIGNATURE) {
      this.#trailerSignature ??= value;
      return;
    }
    const { checksum } = this.#payload;
    // What was not announced is neither signed for nor checked, so it is not taken.
    if (checksum === undefined || checksum.value !== undefined || CHECKSUM_HEADERS[checksum.algorithm] !== name) {
      throw malformedTrailer();
    }
    if (this.sentChecksum !== undefined) throw malformedTrailer();
    this.#trailerLines += `${name}:${value}\n`;
    this.sentChecksum = value;
  }

  /** All bytes are there. @throws S3Error when something does not agree */
  finish(): void {
    const { lengthBytes, sha256, contentMd5, checksum, signedTrailer } = this.#payload;
    if (this.#length !== lengthBytes) throw incompleteBody();
    if (signedTrailer) {
      const signature = this.#trailerSignature;
      if (signature === undefined) throw malformedTrailer();
      if (!this.#signer?.verifyTrailer(this.#trailerLines, signature)) throw mismatch();
    }
    const computed = this.#sha256?.digest("hex");
    if (sha256 !== undefined && computed !== sha256) {
      throw new S3Error(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        { ClientComputedContentSHA256: sha256, S3ComputedContentSHA256: computed ?? "" },
      );
    }
    const md5 = this.#md5?.digest("base64");
    if (contentMd5 !== undefined && md5 !== contentMd5) {
      throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.", {
        ExpectedDigest: contentMd5,
        CalculatedDigest: md5 ?? "",
      });
    }
    if (checksum === undefined || this.#checksum === undefined) return;
    const sent = this.sentChecksum;
    if (sent === undefined) throw malformedTrailer();
    if (!isChecksumBase64(checksum.algorithm, sent)) {
      throw new S3Error(
        "InvalidRequest",
        `Value for ${CHECKSUM_HEADERS[checksum.algorithm]} trailing header is invalid.`,
      );
    }
    if (this.#checksum.digest().toString("base64") !== sent) {
      throw new S3Error("BadDigest", `The ${checksum.algorithm} you specified did not match the calculated checksum.`);
    }
  }
}

async function* decoded(
  pieces: AsyncIterable<Uint8Array>,
  payload: Payload,
  verification: Verification,
): AsyncGenerator<Uint8Array> {
  const decoder = payload.coding === "plain" ? undefined : new AwsChunkedDecoder(verification, payload.lengthBytes);
  // One piece stays behind until all is proved: whoever got every byte has the right ones.
  let held: Uint8Array | undefined;
  for await (const received of pieces) {
    for (const piece of decoder ? decoder.push(received) : [received]) {
      if (piece.length === 0) continue;
      verification.take(piece);
      if (held) yield held;
      held = piece;
    }
  }
  decoder?.end();
  verification.finish();
  if (held) yield held;
}

/**
 * Opens a body. An empty one is read and verified at once, for nobody may care to read it. The stream can be read once; it
 * throws S3Error for bytes that do not agree with what came with them, before the last of them went out.
 * @param gather a shorter way to all pieces of a body that is not coded, where there is one
 */
export async function openBody(
  pieces: AsyncIterable<Uint8Array>,
  payload: Payload,
  signer: ChunkSigner | undefined,
  gather?: () => Promise<Uint8Array[]> | undefined,
): Promise<UfsWriteBody> {
  const verification = new Verification(payload, payload.coding === "chunked-signed" ? signer : undefined);
  let stream: AsyncIterable<Uint8Array> = decoded(pieces, payload, verification);
  if (payload.lengthBytes === 0) {
    for await (const piece of stream) {
      throw new RinglightError("RL_INTERNAL", `an empty body had ${piece.length} bytes`);
    }
    stream = nothing();
  }
  const { checksum } = payload;
  const collect = async () => {
    const all: Uint8Array[] = [];
    const gathered = gather?.();
    if (gathered === undefined) for await (const piece of stream) all.push(piece);
    else {
      for (const piece of await gathered) {
        verification.take(piece);
        all.push(piece);
      }
      verification.finish();
    }
    return all;
  };
  return {
    sizeBytes: payload.lengthBytes,
    stream,
    collect,
    ...(payload.contentMd5 !== undefined && { contentMd5: payload.contentMd5 }),
    ...(checksum && { checksum: { algorithm: checksum.algorithm, value: () => verification.sentChecksum } }),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Reads a verified body to its end, for documents. */
export async function readBody(body: UfsWriteBody): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body.stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

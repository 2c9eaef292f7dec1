export type { Refusal, RefusalCode } from "./authorization.ts";
export { EMPTY_PAYLOAD_HASH, UNSIGNED_PAYLOAD } from "./canonical.ts";
export { type ChunkSeed, ChunkSigner, chunkSeed } from "./chunk-signatures.ts";
export { type PolicyClaim, verifyPolicy } from "./post-policy.ts";
export { RequestVerifier } from "./proofs.ts";
export {
  type PresignOptions,
  presignUrl,
  type RawTarget,
  type SignableRequest,
  type SignOptions,
  signRequest,
} from "./sign.ts";
export { type Credentials, type TextSigner, useTextSigner } from "./signing-key.ts";
export {
  type ReceivedRequest,
  type SignatureKind,
  signatureKind,
  type Verified,
  type VerifyOptions,
  verifyRequest,
} from "./verify.ts";

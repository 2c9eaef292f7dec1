export {
  type BucketInfo,
  type ReadBody,
  type ReadPlan,
  type RequestContext,
  type ResolvedPlan,
  resolvePlan,
  type S3Backend,
  type S3Read,
} from "./backend.ts";
export {
  type ConditionOutcome,
  type Conditions,
  conditionsFromHeaders,
  type EntityTag,
  evaluateConditions,
  NO_CONDITIONS,
  type TagList,
} from "./conditions.ts";
export { connectionLines, dateLine, headerLines } from "./door/head-lines.ts";
export type { HitAnswer, HitSource } from "./door/hit.ts";
export { copyingSender, type PageSenderFactory, sendfileSender } from "./door/page-sender.ts";
export { ReadAccess, type ReadAccessOptions } from "./door/read-access.ts";
export type { RequestHead } from "./door/request-head.ts";
export { S3Door, type S3DoorOptions } from "./door/s3-door.ts";
export { type AnswerHeaders, identifyHeaders, type RequestDone, type S3Request, type S3Response } from "./exchange.ts";
export { createS3Handler, type S3Handler, type S3HandlerOptions } from "./handler.ts";
export { ListingCache, type ListingCacheOptions } from "./listing-cache.ts";
export { objectHeaders } from "./object-headers.ts";
export { newAccessKeyId, newSecretAccessKey, parseAccessKey } from "./policy/access-key.ts";
export type { Permits } from "./policy/actions.ts";
export { type AccessKey, KeyRing } from "./policy/key-ring.ts";
export { FULL_ACCESS_DOCUMENT, type Policy, parsePolicy } from "./policy/policy-document.ts";
export { parseRange, type RequestedRange, resolveRange } from "./range.ts";
export { callerTrace, readAttributes } from "./request-span.ts";
export { S3Error, type S3ErrorCode } from "./s3-error.ts";
export { parseTarget, type Target } from "./target.ts";
export { checksumResponseHeaders } from "./write/checksum-headers.ts";
export type { PartTarget, S3WriteBackend } from "./write-backend.ts";

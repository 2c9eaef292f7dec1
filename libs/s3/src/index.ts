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
export type { AnswerHeaders, RequestDone } from "./exchange.ts";
export { createS3Handler, type S3Handler, type S3HandlerOptions } from "./handler.ts";
export { parseRange, type RequestedRange, resolveRange } from "./range.ts";
export type { ObjectAttributes, PartLocation, PartTarget, S3WriteBackend } from "./write-backend.ts";

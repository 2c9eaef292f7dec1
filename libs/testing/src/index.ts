export * from "./s3-origin.ts";
export type {
  FaultTiming,
  OriginOperation,
  OriginRequest,
  RequestMatch,
} from "./s3-origin-faults.ts";
export type { GeneratedData, ObjectData, ObjectSettings, OriginObject, SynthesizedKeys } from "./s3-origin-objects.ts";
export * from "./seeded-bytes.ts";

/** Access keys as records, for whoever manages them: nothing of the protocol comes along. */
export { newAccessKeyId, newSecretAccessKey, parseAccessKey } from "./access-key.ts";
export type { AccessKey } from "./key-ring.ts";
export { parsePolicy } from "./policy-document.ts";

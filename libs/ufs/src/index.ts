export { type CredentialsSource, resolveCredentials } from "./credentials.ts";
export { multipartEtag } from "./multipart-etag.ts";
export { checkMount, openUfs, UFS_SCHEMES } from "./open-ufs.ts";
export type { UfsMount, UfsOptions } from "./options.ts";

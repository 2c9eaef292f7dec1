/** Headers that come by another way than a request's head: as fields of a form, as parameters of a presigned URL. */
import { S3Error } from "../s3-error.ts";
import type { Target } from "../target.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSENDABLE = /[\0-\x08\x0a-\x1f\x7f]/;

/** What SDKs put into the URL when they presign a write. Checksums are left out: those are of the body that the SDK saw, which is none. */
const IN_URLS =
  /^x-amz-(meta-.+|acl|grant-.+|tagging|storage-class|website-redirect-location|object-lock-.+|server-side-encryption.*|copy-source.*|(metadata|tagging)-directive|checksum-(algorithm|type))$/s;

/** Checks what no head could have carried. @throws S3Error InvalidArgument */
export function checkHeader(name: string, value: string): void {
  if (TOKEN.test(name) && !UNSENDABLE.test(value)) return;
  throw new S3Error("InvalidArgument", "Header value cannot be represented in HTTP.", { ArgumentName: name });
}

/**
 * The headers that a presigned URL carries among its parameters, where S3 takes them too; what is signed is the whole query.
 * @throws S3Error InvalidArgument
 */
export function headersInQuery(query: Target["query"]): Record<string, string> {
  const headers: Record<string, string> = {};
  if (!query.has("X-Amz-Signature")) return headers;
  for (const [parameter, text] of query) {
    const name = parameter.toLowerCase();
    if (!IN_URLS.test(name)) continue;
    // Header values are byte strings: one character is one byte.
    const value = Buffer.from(text, "utf8").toString("latin1");
    checkHeader(name, value);
    headers[name] = value;
  }
  return headers;
}

/** PostObject: uploads by the forms of browsers, and by every client that was handed a signed form. */
import type { UfsWriteBody } from "@ringlight/core";
import type { PolicyClaim } from "@ringlight/sigv4";
import type { ReceivedHeaders } from "../conditions.ts";
import { encodeName } from "../listing.ts";
import { S3Error } from "../s3-error.ts";
import { checkKey } from "../target.ts";
import { element, plainXmlDocument } from "../xml.ts";
import { bodyPieces } from "./body-pieces.ts";
import { checksumResponseHeaders, expectedChecksum } from "./checksum-headers.ts";
import { parseTagging } from "./documents.ts";
import { checkPolicy, type PolicyLimits } from "./form-policy.ts";
import { type FormFields, formBoundary, type ReadForm, readForm } from "./form-reader.ts";
import { checkHeader } from "./given-headers.ts";
import { objectSettings } from "./object-settings.ts";
import { MAX_PUT_BYTES, md5Of } from "./payload.ts";
import { checkTags, formatTagging } from "./tags.ts";
import { openBody } from "./verified-body.ts";
import { accessDenied, passedHeaders, type WriteCall } from "./write-call.ts";

/** A file up to this size is held in memory until it has ended; what follows it in the form is of no matter then. */
const HELD_BYTES = 1024 * 1024;

/** Fields that become headers of the object; the others that do begin with x-amz-. */
const OBJECT_FIELDS = new Set([
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-md5",
  "content-type",
  "expires",
]);
/** Stands for the file's name in a key. */
const FILE_NAME = ["$", "{filename}"].join("");
const PROOF = /^x-amz-(algorithm|credential|date|signature|security-token)$/;

function utf8(value: string): string {
  return Buffer.from(value, "latin1").toString("utf8");
}

/** The fields as the headers that say the same. @throws S3Error InvalidArgument */
function headersOf(fields: FormFields): ReceivedHeaders {
  const headers: Record<string, string> = {};
  for (const [name, value] of fields) {
    if (OBJECT_FIELDS.has(name) || (name.startsWith("x-amz-") && !PROOF.test(name))) headers[name] = value;
  }
  const acl = fields.get("acl");
  if (acl !== undefined) headers["x-amz-acl"] = acl;
  for (const [name, value] of Object.entries(headers)) checkHeader(name, value);
  return headers;
}

function taggingOf(fields: FormFields): string | undefined {
  const document = fields.get("tagging");
  if (document === undefined) return undefined;
  const tags = parseTagging(Buffer.from(document, "latin1"));
  checkTags(tags);
  return formatTagging(tags);
}

/** @throws S3Error InvalidArgument, KeyTooLongError or InvalidURI */
function keyOf(form: ReadForm): string {
  const field = form.fields.get("key");
  if (field === undefined) {
    throw new S3Error(
      "InvalidArgument",
      "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
      { ArgumentName: "key", ArgumentValue: "" },
    );
  }
  const key = utf8(field).replaceAll(FILE_NAME, () => form.fileName);
  if (key === "") throw new S3Error("InvalidArgument", "User key must have a length greater than 0.");
  if (key.includes("\0") || !key.isWellFormed()) throw new S3Error("InvalidURI", "Couldn't parse the specified URI.");
  checkKey(key);
  return key;
}

function claimOf(fields: FormFields): PolicyClaim {
  const policy = fields.get("policy");
  // Nobody may write without a proof.
  if (policy === undefined) throw accessDenied();
  return {
    policy,
    algorithm: fields.get("x-amz-algorithm"),
    credential: fields.get("x-amz-credential"),
    amzDate: fields.get("x-amz-date"),
    signature: fields.get("x-amz-signature"),
    sessionToken: fields.get("x-amz-security-token"),
    isOldVersion: fields.has("awsaccesskeyid"),
  };
}

function checkSize(sizeBytes: number, { leastBytes, mostBytes }: PolicyLimits): void {
  const most = Math.min(mostBytes, MAX_PUT_BYTES);
  if (sizeBytes > most) {
    throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", {
      ProposedSize: sizeBytes,
      MaxSizeAllowed: most,
    });
  }
  if (sizeBytes < leastBytes) {
    throw new S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {
      ProposedSize: sizeBytes,
      MinSizeAllowed: leastBytes,
    });
  }
}

/** The pieces that are held, then the others, of which there have to be as many as the form's length foretold. */
async function* rest(
  held: readonly Uint8Array[],
  file: AsyncGenerator<Uint8Array>,
  foretold: number,
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  const count = (piece: Uint8Array) => {
    sizeBytes += piece.length;
    return piece;
  };
  for (const piece of held) yield count(piece);
  for await (const piece of file) yield count(piece);
  if (sizeBytes === foretold) return;
  throw new S3Error(
    "MalformedPOSTRequest",
    `The file must be the last field of a form when it is larger than ${HELD_BYTES} bytes.`,
  );
}

/** The file as a body: its size is known when it has ended, or foretold by the length of the form. */
async function fileBody(call: WriteCall, form: ReadForm, limits: PolicyLimits): Promise<UfsWriteBody> {
  const headers = headersOf(form.fields);
  const held: Uint8Array[] = [];
  let lengthBytes = 0;
  let ended = false;
  while (!ended && lengthBytes <= HELD_BYTES) {
    const next = await form.file.next();
    ended = next.done === true;
    if (next.done === true) break;
    held.push(next.value);
    lengthBytes += next.value.length;
  }
  let stream = async function* () {
    yield* held;
  };
  if (!ended) {
    const text = call.exchange.req.headers["content-length"];
    if (text === undefined) {
      throw new S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.");
    }
    lengthBytes = Number(text) - form.beforeBytes - form.endBytes;
    const foretold = lengthBytes;
    stream = () => rest(held, form.file, foretold);
  }
  checkSize(lengthBytes, limits);
  const payload = {
    lengthBytes,
    coding: "plain",
    signedTrailer: false,
    sha256: undefined,
    contentMd5: md5Of(headers),
    checksum: expectedChecksum(headers),
  } as const;
  return openBody(stream(), payload, undefined);
}

function redirectOf(fields: FormFields, query: Readonly<Record<string, string>>): string | undefined {
  const text = fields.get("success_action_redirect") ?? fields.get("redirect");
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  // As S3, which passes over a target that is none.
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value);
  return url.href;
}

/** Serves PostObject. */
export async function postObject(call: WriteCall): Promise<void> {
  const { exchange, target, writes, context } = call;
  const { req, res } = exchange;
  const boundary = formBoundary(req.headers["content-type"]);
  if (boundary === undefined) {
    throw new S3Error(
      "PreconditionFailed",
      "Bucket POST must be of the enclosure-type multipart/form-data; other uploads are made by PUT.",
      { Condition: "Bucket POST must be of the enclosure-type multipart/form-data" },
    );
  }
  const form = await readForm(bodyPieces(req, res, call.stallTimeoutMs), boundary);
  try {
    const key = keyOf(form);
    exchange.key = key;
    const proved = call.proveForm(claimOf(form.fields));
    const values = new Map([...form.fields].map(([name, value]) => [name, utf8(value)]));
    values.set("bucket", target.bucket).set("key", key);
    const limits = checkPolicy(form.fields.get("policy") ?? "", values, proved.now);
    const tagging = taggingOf(form.fields);
    const needed = tagging === undefined ? ["s3:PutObject"] : ["s3:PutObject", "s3:PutObjectTagging"];
    if (!needed.every((action) => proved.allows(action, target.bucket, key))) throw accessDenied();
    const settings = { ...objectSettings(headersOf(form.fields)), ...(tagging !== undefined && { tagging }) };
    const body = await fileBody(call, form, limits);
    const { accessKeyId } = proved;
    const result = await writes.put(
      target.bucket,
      key,
      { body, settings, conditions: {} },
      { ...context, accessKeyId },
    );
    const path = target.rawPath.replace(/\/$/, "");
    const location = `http://${req.headers.host ?? "localhost"}${path}/${encodeName(key)}`;
    const headers = {
      ETag: result.etag,
      ...checksumResponseHeaders(result.checksums),
      ...passedHeaders(result.headers),
    };
    const redirect = redirectOf(form.fields, { bucket: target.bucket, key, etag: result.etag });
    if (redirect !== undefined) return exchange.send(303, { ...headers, Location: redirect }, undefined);
    const asked = form.fields.get("success_action_status");
    if (asked === "201") {
      const document = plainXmlDocument(
        "PostResponse",
        element("Location", location),
        element("Bucket", target.bucket),
        element("Key", key),
        element("ETag", result.etag),
      );
      return exchange.sendXml(201, document, { ...headers, Location: location });
    }
    exchange.send(asked === "200" ? 200 : 204, { ...headers, Location: location }, undefined);
  } finally {
    form.close();
  }
}

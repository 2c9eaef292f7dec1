/** The XML documents that requests carry. */

import { CHECKSUM_ALGORITHMS, isChecksumBase64 } from "@ringlight/checksum";
import { type ChecksumAlgorithm, type CompletedPart, type ObjectTag, RinglightError } from "@ringlight/core";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { S3Error } from "../s3-error.ts";

/** Most bytes of a document: ten thousand parts with their checksums, or a thousand long keys, fit well. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  // Numeric references too, by which keys with control characters are written.
  htmlEntities: true,
});

/** An element's children by name; text under "#text". */
type Node = Readonly<Record<string, unknown>>;

function malformed(): S3Error {
  return new S3Error(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
  );
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses a document and gives its root, which must have the name. @throws S3Error MalformedXML */
function parseDocument(bytes: Uint8Array, name: string): Node {
  let root: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // A document type can define entities that expand without bound; no client of S3 sends one.
    if (/<!(DOCTYPE|ENTITY)/i.test(text) || XMLValidator.validate(text) !== true) throw malformed();
    root = (parser.parse(text) as Node)[name];
  } catch (error) {
    throw error instanceof S3Error ? error : malformed();
  }
  if (root === "") return {};
  if (!isNode(root)) throw malformed();
  return root;
}

/** Children of a name, however many there are; a child without content is an empty node. */
function children(node: Node, name: string): Node[] {
  const value = node[name];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((child) => {
    if (child === "") return {};
    if (!isNode(child)) throw malformed();
    return child;
  });
}

/** Text of the one child of a name; undefined when it is absent. */
function textOf(node: Node, name: string): string | undefined {
  const value = node[name];
  if (value === undefined || typeof value === "string") return value;
  throw malformed();
}

/** One key of DeleteObjects, as asked for. */
export interface DeleteEntry {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly etag: string | undefined;
  /** A condition that S3 knows in directory buckets alone. */
  readonly unknownCondition: string | undefined;
}

/** Reads a Delete document. @throws S3Error MalformedXML */
export function parseDelete(bytes: Uint8Array): { readonly quiet: boolean; readonly entries: DeleteEntry[] } {
  const root = parseDocument(bytes, "Delete");
  const entries = children(root, "Object").map((node) => {
    const key = textOf(node, "Key");
    if (key === undefined || key === "") throw malformed();
    const unknownCondition = ["Size", "LastModifiedTime"].find((name) => node[name] !== undefined);
    return { key, versionId: textOf(node, "VersionId"), etag: textOf(node, "ETag"), unknownCondition };
  });
  if (entries.length === 0 || entries.length > 1000) throw malformed();
  return { quiet: textOf(root, "Quiet")?.trim().toLowerCase() === "true", entries };
}

/** A tag as an ETag that has its quotes. */
export function quoted(etag: string): string {
  const text = etag.trim();
  return text.startsWith('"') ? text : `"${text}"`;
}

/** Reads a CompleteMultipartUpload document; its parts in the order that they stand in. @throws S3Error MalformedXML */
export function parseComplete(bytes: Uint8Array): CompletedPart[] {
  const parts = children(parseDocument(bytes, "CompleteMultipartUpload"), "Part").map((node): CompletedPart => {
    const number = textOf(node, "PartNumber")?.trim() ?? "";
    const etag = textOf(node, "ETag");
    if (!/^\d{1,9}$/.test(number) || etag === undefined) throw malformed();
    const values: Partial<Record<ChecksumAlgorithm, string>> = {};
    for (const algorithm of CHECKSUM_ALGORITHMS) {
      const value = textOf(node, `Checksum${algorithm}`)?.trim();
      if (value === undefined) continue;
      if (!isChecksumBase64(algorithm, value)) {
        throw new RinglightError("RL_INVALID_PART", `the checksum of part ${number} is no ${algorithm}`);
      }
      values[algorithm] = value;
    }
    const known = Object.keys(values).length > 0;
    return { partNumber: Number(number), etag: quoted(etag), ...(known && { checksums: values }) };
  });
  if (parts.length === 0) throw malformed();
  return parts;
}

/** Reads a Tagging document. @throws S3Error MalformedXML */
export function parseTagging(bytes: Uint8Array): ObjectTag[] {
  const [set, another] = children(parseDocument(bytes, "Tagging"), "TagSet");
  if (!set || another) throw malformed();
  return children(set, "Tag").map((node) => {
    const key = textOf(node, "Key");
    const value = textOf(node, "Value");
    if (key === undefined || value === undefined) throw malformed();
    return { key, value };
  });
}

/** A grant of an ACL. */
export interface AclGrant {
  /** ID, address or group of who is granted it; empty where the document names none. */
  readonly grantee: string;
  readonly permission: string;
}

/** Reads an AccessControlPolicy document. @throws S3Error MalformedXML */
export function parseAcl(bytes: Uint8Array): AclGrant[] {
  const [list, another] = children(parseDocument(bytes, "AccessControlPolicy"), "AccessControlList");
  if (!list || another) throw malformed();
  return children(list, "Grant").map((node) => {
    const [grantee] = children(node, "Grantee");
    const permission = textOf(node, "Permission")?.trim();
    if (!grantee || permission === undefined) throw malformed();
    return { grantee: textOf(grantee, "ID")?.trim() ?? "", permission };
  });
}

/** The region that a CreateBucketConfiguration document names; undefined when it names none. @throws S3Error MalformedXML */
export function parseLocation(bytes: Uint8Array): string | undefined {
  const region = textOf(parseDocument(bytes, "CreateBucketConfiguration"), "LocationConstraint")?.trim();
  return region === "" ? undefined : region;
}

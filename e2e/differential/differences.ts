const ANY = "the gateway takes * for an entity tag; RFC 9110 and S3 take it for any state of the object";

/** Shapes that are answered differently on purpose, by name, each with its reason. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "PUT with a Content-MD5 that is none": "S3 documents InvalidDigest; the gateway takes it for a forgery",
  "copy if it matches another": "S3 documents 412; the gateway copies all the same",
  "delete several by a document that is none": "S3 documents MalformedXML; the gateway gives no document",
  "complete in a wrong order": "S3 documents InvalidPartOrder; the gateway sorts them",
  "complete with a part that is not there": "S3 documents InvalidPart; the gateway fails",
  "look after completions that failed": "the gateway had completed the upload whose parts were in a wrong order",
  "its parts, after it is complete": "S3 documents NoSuchUpload; the gateway says that there is no such key",
  "GET If-Match any": ANY,
  "HEAD If-Match any": ANY,
  "GET If-Match any, with a range": ANY,
};

/** Uploads in parts, step by step on one endpoint: what goes well, and what must not. */
import { createHash } from "node:crypto";
import { type Answer, ask, type Endpoint, essence, type Shape, textsOf } from "./ask.ts";

const PART = Buffer.alloc(5 * 1024 * 1024, "part one ");
const LAST = Buffer.from("the last part is short");
const TARGET = "/{bucket}/multipart/object";

/** A step and what it came to. */
export interface Step {
  readonly name: string;
  readonly essence: unknown;
}

/** Runs every step. Ids that the server makes are taken out of what is compared. */
export async function multipartSteps(endpoint: Endpoint): Promise<Step[]> {
  const steps: Step[] = [];
  const step = async (
    name: string,
    method: string,
    query: string,
    body?: Buffer | string,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const shape: Shape = { name, method, target: `${TARGET}${query}`, headers, ...(bytes && { body: bytes }) };
    const answer = await ask(endpoint, shape);
    const said = essence(shape, answer, endpoint.bucket) as { listed?: string; headers?: Record<string, string> };
    if (said.listed !== undefined) said.listed = said.listed.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME");
    delete said.headers?.["last-modified"];
    steps.push({ name, essence: said });
    return answer;
  };
  const create = async (name: string, headers: Record<string, string> = {}) => {
    const answer = await step(`create ${name}`, "POST", "?uploads", "", headers);
    return encodeURIComponent(textsOf(answer.body.toString(), "UploadId")[0] ?? "");
  };
  const etagOf = (body: Buffer) => createHash("md5").update(body).digest("hex");
  const complete = (parts: readonly (readonly [number, string])[]) =>
    `<CompleteMultipartUpload>${parts
      .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>"${etag}"</ETag></Part>`)
      .join("")}</CompleteMultipartUpload>`;

  const id = await create("an upload", { "content-type": "application/x-parts", "x-amz-meta-made": "of parts" });
  await step("look before it is complete", "GET", "");
  await step("part 1", "PUT", `?partNumber=1&uploadId=${id}`, PART);
  await step("part 2", "PUT", `?partNumber=2&uploadId=${id}`, LAST);
  await step("part 2 again", "PUT", `?partNumber=2&uploadId=${id}`, LAST);
  await step("part 3 with a wrong sum", "PUT", `?partNumber=3&uploadId=${id}`, LAST, {
    "content-md5": createHash("md5").update(PART).digest("base64"),
  });
  await step("a part of an upload that is not there", "PUT", "?partNumber=1&uploadId=nothing", LAST);
  await step("list its parts", "GET", `?uploadId=${id}`);
  await step("list one of its parts", "GET", `?uploadId=${id}&max-parts=1`);
  const right = [
    [1, etagOf(PART)],
    [2, etagOf(LAST)],
  ] as const;
  await step("complete with a wrong tag", "POST", `?uploadId=${id}`, complete([[1, etagOf(LAST)], right[1]]));
  await step("complete in a wrong order", "POST", `?uploadId=${id}`, complete([right[1], right[0]]));
  await step(
    "complete with a part that is not there",
    "POST",
    `?uploadId=${id}`,
    complete([...right, [7, etagOf(LAST)]]),
  );
  await step("complete by a document that is none", "POST", `?uploadId=${id}`, "this is no document");
  await step("look after completions that failed", "GET", "");
  await step("complete", "POST", `?uploadId=${id}`, complete(right));
  await step("look at it", "GET", "");
  await step("its head", "HEAD", "");
  await step("a range over the seam of its parts", "GET", "", undefined, { range: "bytes=5242870-5242890" });
  await step("its parts, after it is complete", "GET", `?uploadId=${id}`);
  const small = await create("an upload of small parts");
  await step("a small part 1", "PUT", `?partNumber=1&uploadId=${small}`, LAST);
  await step("a part 2 behind it", "PUT", `?partNumber=2&uploadId=${small}`, LAST);
  const smallParts = [
    [1, etagOf(LAST)],
    [2, etagOf(LAST)],
  ] as const;
  await step("complete parts that are too small", "POST", `?uploadId=${small}`, complete(smallParts));
  await step("abort", "DELETE", `?uploadId=${small}`);
  await step("abort again", "DELETE", `?uploadId=${small}`);
  await step("the object is as it was", "GET", "");
  return steps;
}

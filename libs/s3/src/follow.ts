/** Sends clients that say they follow it to the worker that has the bytes, so that those take one way instead of two. */
import type { S3Backend } from "./backend.ts";
import type { Exchange } from "./exchange.ts";
import { encodeName } from "./listing.ts";
import { parseRange } from "./range.ts";
import { S3Error } from "./s3-error.ts";
import type { Target } from "./target.ts";

/** The header by which a client says that it follows a 307 with a request that it signs anew: "307". */
const FOLLOWS_HEADER = "x-ringlight-follow";

/** Answers a read with 307 and returns true, where the client follows it and another worker has the first byte asked for. */
export function sentElsewhere(exchange: Exchange, target: Target, backend: S3Backend): boolean {
  const { headers } = exchange.req;
  if (headers[FOLLOWS_HEADER] !== "307" || target.key === "") return false;
  const range = parseRange(headers.range);
  const offset = range === undefined || range.kind === "suffix" ? 0 : range.start;
  const door = backend.doorOf?.(target.bucket, target.key, offset);
  if (door === undefined) return false;
  const mark = target.rawUrl.indexOf("?");
  const query = mark === -1 ? "" : target.rawUrl.slice(mark);
  const error = new S3Error(
    "TemporaryRedirect",
    "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.",
    { Endpoint: door, Bucket: target.bucket },
  );
  exchange.sendError(error, { Location: `http://${door}/${target.bucket}/${encodeName(target.key)}${query}` });
  return true;
}

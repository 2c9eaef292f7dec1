/**
 * Answers to what may take the store minutes (copies, the end of an upload in parts), as S3 gives them: when it takes long
 * the head goes out with 200 and blanks follow, so that neither client nor proxy gives up, and the document comes last. It
 * may then be an error, which every S3 client looks for.
 */
import { conditionName } from "../conditions.ts";
import type { AnswerHeaders } from "../exchange.ts";
import { errorDocument, toS3Error } from "../s3-error.ts";
import type { WriteCall } from "./write-call.ts";

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
/** Blanks go out so many times within the time after which a silent connection counts as dead. */
const BLANKS_A_STALL = 6;

/** What is answered in the end. */
export interface SlowAnswer {
  readonly document: string;
  readonly headers: AnswerHeaders;
}

/** Answers with what the work comes to. @throws what it throws, while no head has gone out */
export async function answerSlowly(call: WriteCall, work: () => Promise<SlowAnswer>): Promise<void> {
  const { exchange, target } = call;
  const { req, res } = exchange;
  let begun = false;
  const timer = setInterval(() => {
    if (res.destroyed || res.writableNeedDrain) return;
    if (!begun) {
      begun = true;
      res.writeHead(200, exchange.identify({ "Content-Type": "application/xml" }));
      exchange.markFirstByte();
      res.write(DECLARATION);
      return;
    }
    res.write(" ");
  }, call.stallTimeoutMs / BLANKS_A_STALL);
  timer.unref();
  let document: string;
  try {
    const answer = await work();
    if (!begun) {
      exchange.sendXml(200, answer.document, answer.headers);
      return;
    }
    document = answer.document;
  } catch (error) {
    if (!begun) throw error;
    const known = toS3Error(error, target.bucket, target.key, conditionName(req.headers));
    document = errorDocument(known, target.rawPath, exchange.requestId, exchange.hostId);
  } finally {
    clearInterval(timer);
  }
  if (res.destroyed) return;
  exchange.bytesOut += Buffer.byteLength(document);
  res.end(document.slice(DECLARATION.length));
}

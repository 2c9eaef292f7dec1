/** A request that the door parsed itself, in the shape in which the general handler takes requests. */
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { S3Request } from "../exchange.ts";
import type { RequestHead } from "./request-head.ts";

/** A GET or HEAD; it has no body, so that reading it ends at once. */
export class DoorRequest extends Readable implements S3Request {
  readonly method: string;
  readonly url: string;
  readonly headers: S3Request["headers"];
  readonly rawHeaders: string[];
  readonly socket: Socket;
  readonly complete = true;

  constructor(socket: Socket, head: RequestHead) {
    super();
    this.socket = socket;
    this.method = head.method;
    this.url = head.url;
    this.headers = head.headers;
    this.rawHeaders = head.rawHeaders;
  }

  override _read(): void {
    this.push(null);
  }
}

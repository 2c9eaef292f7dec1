/** Reading of a form (multipart/form-data) as it comes: the fields before the file, then the file piece by piece. */
import { S3Error } from "../s3-error.ts";

/** Most bytes of a form before its file. */
const MAX_FIELDS_BYTES = 20 * 1024;
const MAX_BOUNDARY_LENGTH = 200;
const CRLF = "\r\n";

/** The fields of a form, by name in lower case; their bytes as latin1 characters, as header values have them. */
export type FormFields = ReadonlyMap<string, string>;

/** A form that was read up to its file. */
export interface ReadForm {
  readonly fields: FormFields;
  /** Name of the file on the client's side, without its directories; "" where it has none. */
  readonly fileName: string;
  /** The file's pieces; can be read once. */
  readonly file: AsyncGenerator<Uint8Array>;
  /** Bytes of the form before the file. */
  readonly beforeBytes: number;
  /** Bytes after the file when nothing follows it. */
  readonly endBytes: number;
  /** Lets what was not read run to waste. */
  close(): void;
}

function malformed(): S3Error {
  return new S3Error("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.");
}

/** The boundary that a Content-Type names; undefined when it is no form's. */
export function formBoundary(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^multipart\/form-data\s*;/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;,"]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  return boundary !== undefined && boundary.length <= MAX_BOUNDARY_LENGTH ? boundary : undefined;
}

/** A parameter of a Content-Disposition. Browsers write quotes in names as %22, other clients as \". */
function parameter(header: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, "i").exec(header);
  if (match === null) return undefined;
  return match[1]?.replace(/\\(["\\])/g, "$1") ?? match[2];
}

/** The bytes of a form that came and were not taken yet. */
class FormBytes {
  readonly #pieces: AsyncIterator<Uint8Array>;
  held = Buffer.alloc(0);
  taken = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Waits for more bytes. @throws S3Error when there are none */
  async more(): Promise<void> {
    const next = await this.#pieces.next();
    if (next.done === true) throw malformed();
    // Always a copy: the piece's own memory may be used again.
    this.held = Buffer.concat([this.held, next.value]);
  }

  take(length: number): Buffer {
    const bytes = this.held.subarray(0, length);
    this.held = this.held.subarray(length);
    this.taken += length;
    return bytes;
  }

  /** Takes everything before the mark, and the mark. @throws S3Error when it does not come in the bytes that fields may have */
  async until(mark: string): Promise<Buffer> {
    let from = 0;
    for (;;) {
      const at = this.held.indexOf(mark, from, "latin1");
      if (this.taken + (at === -1 ? this.held.length : at) > MAX_FIELDS_BYTES) {
        throw new S3Error(
          "MaxPostPreDataLengthExceeded",
          "Your POST request fields preceding the upload file were too large.",
          { MaxPostPreDataLengthBytes: MAX_FIELDS_BYTES },
        );
      }
      if (at !== -1) {
        const before = this.take(at);
        this.take(mark.length);
        return before;
      }
      from = Math.max(0, this.held.length - mark.length + 1);
      await this.more();
    }
  }

  /** The next two bytes, which stay. */
  async nextTwo(): Promise<string> {
    while (this.held.length < 2) await this.more();
    return this.held.toString("latin1", 0, 2);
  }

  close(): void {
    void this.#pieces.return?.();
  }
}

async function* fileOf(bytes: FormBytes, delimiter: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const at = bytes.held.indexOf(delimiter, 0, "latin1");
    if (at !== -1) {
      if (at > 0) yield bytes.take(at);
      bytes.take(delimiter.length);
      const after = await bytes.nextTwo();
      if (after !== "--" && after !== CRLF) throw malformed();
      return;
    }
    const safe = bytes.held.length - delimiter.length + 1;
    if (safe > 0) yield bytes.take(safe);
    await bytes.more();
  }
}

/** Reads a form up to its file. @throws S3Error MalformedPOSTRequest, MaxPostPreDataLengthExceeded or InvalidArgument */
export async function readForm(pieces: AsyncIterable<Uint8Array>, boundary: string): Promise<ReadForm> {
  const bytes = new FormBytes(pieces);
  const delimiter = `${CRLF}--${boundary}`;
  const fields = new Map<string, string>();
  try {
    await bytes.until(`--${boundary}`);
    for (;;) {
      const after = await bytes.nextTwo();
      if (after === "--") {
        throw new S3Error("InvalidArgument", "POST requires exactly one file upload per request.", {
          ArgumentName: "file",
          ArgumentValue: 0,
        });
      }
      // Blanks may pad the boundary.
      if ((await bytes.until(CRLF)).toString("latin1").trim() !== "") throw malformed();
      let name: string | undefined;
      let fileName = "";
      for (;;) {
        const line = (await bytes.until(CRLF)).toString("utf8");
        if (line === "") break;
        if (!/^content-disposition:/i.test(line)) continue;
        name = parameter(line, "name")?.toLowerCase();
        fileName = parameter(line, "filename") ?? "";
      }
      if (name === undefined) throw malformed();
      if (name === "file") {
        return {
          fields,
          fileName: fileName.replace(/^.*[/\\]/, ""),
          file: fileOf(bytes, delimiter),
          beforeBytes: bytes.taken,
          endBytes: delimiter.length + 2 * CRLF.length,
          close: () => bytes.close(),
        };
      }
      const value = (await bytes.until(delimiter)).toString("latin1");
      if (!fields.has(name)) fields.set(name, value);
    }
  } catch (error) {
    bytes.close();
    throw error;
  }
}

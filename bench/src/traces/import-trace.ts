/**
 * Importers: CSV, space-separated and JSONL files to a trace, by a mapping of columns. The public formats have theirs by name;
 * what another file calls its columns is told with `--map time=ts,key=path,...`.
 */
import { closeSync, createReadStream, openSync, readFileSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileError, isCapture, RinglightError, readCapture } from "@ringlight/core";
import { Trace, type TraceRow } from "./trace.ts";

/** Which column is what; by name where the file has a header or is JSONL, else by number from 0. */
export interface ColumnMapping {
  readonly separator: "," | " " | "jsonl";
  readonly header: boolean;
  /** Unit of the time column in milliseconds; rows without a time are a millisecond apart. */
  readonly time?: { readonly column: string | number; readonly unitMs: number };
  readonly key: string | number;
  readonly op?: string | number;
  readonly offset?: string | number;
  readonly length?: string | number;
  /** Instead of a length: the byte behind the last (`exclusive`), or the last. */
  readonly end?: { readonly column: string | number; readonly exclusive: boolean };
  readonly size?: string | number;
  readonly client?: string | number;
  /** Words of the operation column; others are left out, and counted. */
  readonly operations: Readonly<Record<string, TraceRow["op"]>>;
}

const FSSPEC_OPERATIONS = {
  info: "head",
  ls: "list",
  _open: "open",
  open: "open",
  cat_file: "get",
  cat: "get",
} as const;

/** The formats that are known by name. */
const FORMATS: Readonly<Record<string, ColumnMapping>> = {
  /** alluxiofs's traffic of fsspec calls, with a caller. Ends are exclusive. */
  fsspec: {
    separator: ",",
    header: true,
    key: "path",
    op: "operation",
    offset: "start",
    end: { column: "end", exclusive: true },
    client: "caller",
    operations: FSSPEC_OPERATIONS,
  },
  /** The same with columns of other names. */
  "fsspec-sizes": {
    separator: ",",
    header: true,
    key: "path",
    op: "operation",
    offset: "size_start",
    end: { column: "size_end", exclusive: true },
    operations: FSSPEC_OPERATIONS,
  },
  /** Twitter's cache traces (2020): seconds, key, key size, value size, client, operation, TTL. */
  twitter: {
    separator: ",",
    header: false,
    time: { column: 0, unitMs: 1000 },
    key: 1,
    size: 3,
    client: 4,
    op: 5,
    operations: { get: "get", gets: "get", set: "put", add: "put", replace: "put", cas: "put" },
  },
  /** Alibaba's block traces (2020): device, operation, offset, length, microseconds. */
  "alibaba-block": {
    separator: ",",
    header: false,
    key: 0,
    op: 1,
    offset: 2,
    length: 3,
    time: { column: 4, unitMs: 0.001 },
    operations: { R: "get", W: "put" },
  },
  /** IBM's object store traces (SNIA IOTTA 36305): milliseconds, operation, object, size, first and last byte. */
  "ibm-cos": {
    separator: " ",
    header: false,
    time: { column: 0, unitMs: 1 },
    op: 1,
    key: 2,
    size: 3,
    offset: 4,
    end: { column: 5, exclusive: false },
    operations: { "REST.GET.OBJECT": "get", "REST.HEAD.OBJECT": "head", "REST.PUT.OBJECT": "put" },
  },
};

/** Share of rows that may be unreadable; with more, the file is of another format. */
const MOST_DAMAGED = 0.05;

/** What an import came to. */
export interface Imported {
  readonly trace: Trace;
  readonly format: string;
  /** Rows that were left out because their operation is not known. */
  readonly skipped: number;
  /** What was wrong with rows that could not be read: recorders that are killed leave such. */
  readonly damaged: readonly string[];
}

/** Names of formats, with ours. */
function formatNames(): string[] {
  return [...Object.keys(FORMATS), "capture"];
}

/** Imports a file; `format` is a name, "auto", or a mapping; keys lose the prefix `strip`. @throws RL_BAD_REQUEST for unknown formats, and where more rows than a few cannot be read */
export async function importTrace(
  file: string,
  format: string | ColumnMapping = "auto",
  limit = Number.POSITIVE_INFINITY,
  strip = "",
): Promise<Imported> {
  const start = startOf(file);
  if (format === "capture" || (format === "auto" && isCapture(start))) return importCapture(file, limit, strip);
  const name = typeof format === "string" ? (format === "auto" ? await guess(file) : format) : "mapped";
  const mapping = typeof format === "string" ? FORMATS[name] : format;
  if (mapping === undefined) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `there is no trace format "${name}"; there are ${formatNames().join(", ")}`,
    );
  }
  const trace = new Trace();
  let skipped = 0;
  const damaged: string[] = [];
  let firstMs: number | undefined;
  let columns: readonly string[] | undefined;
  let number = 0;
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    number++;
    if (line === "") continue;
    if (mapping.header && columns === undefined) {
      columns = cells(line, mapping.separator);
      for (const wanted of [mapping.key, mapping.op, mapping.offset]) {
        if (typeof wanted === "string" && !columns.includes(wanted)) {
          throw new RinglightError("RL_BAD_REQUEST", `${file} has no column "${wanted}"; it has ${columns.join(", ")}`);
        }
      }
      continue;
    }
    let row: TraceRow | undefined;
    try {
      row = rowOf(line, mapping, columns, trace.rows, `line ${number}`);
      if (row === undefined) skipped++;
    } catch (error) {
      damaged.push(error instanceof Error ? error.message : String(error));
    }
    if (row !== undefined) {
      firstMs ??= row.atMs;
      trace.add({ ...row, key: stripped(row.key, strip), atMs: Math.max(0, row.atMs - firstMs) });
    }
    if (trace.rows >= limit) break;
  }
  lines.close();
  if (trace.rows === 0 || damaged.length > (trace.rows + skipped) * MOST_DAMAGED) {
    throw new RinglightError("RL_BAD_REQUEST", `${file} is not ${name}: ${damaged[0] ?? "no row is a request"}`);
  }
  return { trace, format: name, skipped, damaged };
}

/** Makes a mapping of "time=ts,key=path,offset=start,length=len,op=what,unit=s". @throws RL_BAD_REQUEST naming what is wrong */
export function parseMapping(text: string, separator: ColumnMapping["separator"], header: boolean): ColumnMapping {
  const given = new Map<string, string>();
  for (const pair of text.split(",")) {
    const [name = "", value] = pair.split("=");
    if (
      value === undefined ||
      !["time", "unit", "key", "op", "offset", "length", "end", "size", "client"].includes(name)
    ) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        `"${pair}" maps nothing; write time=, unit=, key=, op=, offset=, length=, end=, size= or client= and a column`,
      );
    }
    given.set(name, value);
  }
  const column = (name: string) => {
    const value = given.get(name);
    if (value === undefined) return undefined;
    return header || separator === "jsonl" ? value : Number(value);
  };
  const key = column("key");
  if (key === undefined) throw new RinglightError("RL_BAD_REQUEST", "the mapping has no key=");
  const units: Record<string, number> = { s: 1000, ms: 1, us: 0.001, ns: 0.000001 };
  const [time, op, offset, length, end, size, client] = ["time", "op", "offset", "length", "end", "size", "client"].map(
    column,
  );
  return {
    separator,
    header,
    key,
    ...(time !== undefined && { time: { column: time, unitMs: units[given.get("unit") ?? "s"] ?? 1000 } }),
    ...(op !== undefined && { op }),
    ...(offset !== undefined && { offset }),
    ...(length !== undefined && { length }),
    ...(end !== undefined && { end: { column: end, exclusive: true } }),
    ...(size !== undefined && { size }),
    ...(client !== undefined && { client }),
    operations: {
      get: "get",
      GET: "get",
      read: "get",
      R: "get",
      head: "head",
      HEAD: "head",
      list: "list",
      LIST: "list",
    },
  };
}

function cells(line: string, separator: ColumnMapping["separator"]): string[] {
  return separator === " " ? line.trim().split(/\s+/) : line.split(",");
}

async function guess(file: string): Promise<string> {
  const lines = createInterface({ input: createReadStream(file, { end: 4095 }) });
  for await (const line of lines) {
    if (/^caller,operation,path,start,end$/.test(line)) return "fsspec";
    if (/^operation,path,size_start,size_end$/.test(line)) return "fsspec-sizes";
    if (/^\d+ REST\./.test(line)) return "ibm-cos";
    if (/^\d+,[RW],\d+,\d+,\d+$/.test(line)) return "alibaba-block";
    if (/^\d+,[^,]+,\d+,\d+,\d+,\w+,\d+$/.test(line)) return "twitter";
    break;
  }
  throw new RinglightError(
    "RL_BAD_REQUEST",
    `${file}: its format is not known by its first line; name it with --format (${formatNames().join(", ")}) or --map`,
  );
}

function rowOf(
  line: string,
  mapping: ColumnMapping,
  columns: readonly string[] | undefined,
  index: number,
  where: string,
): TraceRow | undefined {
  let value: (column: string | number | undefined) => string;
  if (mapping.separator === "jsonl") {
    const parsed = JSON.parse(line) as Record<string, unknown>;
    value = (column) => (column === undefined ? "" : String(parsed[column] ?? ""));
  } else {
    const parts = cells(line, mapping.separator);
    value = (column) =>
      column === undefined ? "" : (parts[typeof column === "number" ? column : (columns ?? []).indexOf(column)] ?? "");
  }
  const word = value(mapping.op);
  const op = mapping.op === undefined ? "get" : mapping.operations[word];
  if (op === undefined) return undefined;
  const numberOf = (column: string | number | undefined, what: string) => {
    const text = value(column);
    const number = text === "" ? 0 : Number(text);
    if (Number.isFinite(number) && number >= 0) return number;
    throw new RinglightError("RL_BAD_REQUEST", `${where}: ${what} is "${text}"; a number is needed`);
  };
  const size = numberOf(mapping.size, "the size");
  let offset = 0;
  let length = 0;
  if (op === "get" || op === "put") {
    offset = numberOf(mapping.offset, "the offset");
    length = numberOf(mapping.length, "the length");
    if (mapping.end !== undefined && value(mapping.end.column) !== "") {
      length = numberOf(mapping.end.column, "the end") - offset + (mapping.end.exclusive ? 0 : 1);
    }
    if (length < 0) throw new RinglightError("RL_BAD_REQUEST", `${where}: the range ends before it begins`);
    if (op === "put") {
      offset = 0;
      length = size || length || 1;
    }
  }
  const { time } = mapping;
  const key = value(mapping.key)
    .replace(/^s3:\/\//, "")
    .replace(/^\/+/, "");
  return {
    atMs: time === undefined ? index : numberOf(time.column, "the time") * time.unitMs,
    op,
    key: op === "list" ? key.replace(/\/?$/, "/") : key || "root",
    offset,
    length,
    sizeBytes: size,
    client: value(mapping.client),
  };
}

function startOf(file: string): Buffer {
  const start = Buffer.alloc(16);
  try {
    const opened = openSync(file, "r");
    try {
      readSync(opened, start, 0, start.length, 0);
    } finally {
      closeSync(opened);
    }
  } catch (error) {
    throw fileError("the trace", file, error);
  }
  return start;
}

/** A key without the prefix under which it was recorded, such as a mount's name. */
function stripped(key: string, prefix: string): string {
  return prefix !== "" && key.startsWith(prefix) ? key.slice(prefix.length) : key;
}

function importCapture(file: string, limit: number, strip: string): Imported {
  const trace = new Trace();
  let firstMs: number | undefined;
  for (const { path, outcome: _, atMs, ...entry } of readCapture(readFileSync(file))) {
    if (trace.rows >= limit) break;
    firstMs ??= atMs;
    trace.add({ ...entry, key: stripped(path.replace(/^[/#]+/, ""), strip), atMs: Math.max(0, atMs - firstMs) });
  }
  return { trace, format: "capture", skipped: 0, damaged: [] };
}

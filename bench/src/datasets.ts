/** Data sets: the objects that a workload needs, made and put where it reads them. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { presignUrl } from "@ringlight/sigv4";
import { parseHttpUrl } from "./load/http-target.ts";
import { objectBytes } from "./load/object-bytes.ts";
import type { TargetAddress } from "./load/target.ts";
import type { Description, DescriptionOf } from "./workloads/description.ts";
import type { PlanOptions } from "./workloads/make-plan.ts";
import { writeTable } from "./workloads/parquet-files.ts";
import { readLayout, type TableFile } from "./workloads/parquet-layout.ts";
import type { DataObject } from "./workloads/plan.ts";

const CACHE = fileURLToPath(new URL("../results/data", import.meta.url));
const UPLOADS = 8;
const PUT_MS = 120_000;

/** A table's files, made where they are not there yet; the same options make the same bytes. */
function tableFiles(
  description: DescriptionOf<"sql">,
  options: PlanOptions,
  progress: (line: string) => void,
): TableFile[] {
  return Object.entries(description.tables).flatMap(([table, { schema, files, rows, rowsPerGroup }]) => {
    const count = Math.max(1, Math.round(files * options.scale));
    const rowsOfFile = Math.max(100, Math.round(rows * options.recordScale));
    const perGroup = Math.max(10, Math.round(rowsPerGroup * options.recordScale));
    return Array.from({ length: count }, (_, index) => {
      // Named by what it holds, so that workloads share tables and a change of shape makes others.
      const key = `tables/${schema}-${options.seed}-${count}x${rowsOfFile}-${perGroup}/part-${index}.parquet`;
      const file = join(CACHE, key);
      if (!existsSync(file)) {
        progress(`writing ${key}`);
        mkdirSync(dirname(file), { recursive: true });
        const bytes = writeTable({
          schema,
          seed: options.seed,
          firstRow: index * rowsOfFile,
          rows: rowsOfFile,
          tableRows: count * rowsOfFile,
          rowsPerGroup: perGroup,
        });
        writeFileSync(`${file}.partial`, Buffer.from(bytes));
        renameSync(`${file}.partial`, file);
      }
      const bytes = readFileSync(file);
      return readLayout(
        table,
        key,
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
      );
    });
  });
}

/** Options with the tables' files, for workloads that read them. */
export function withTables(
  description: Description,
  options: PlanOptions,
  progress: (line: string) => void,
): PlanOptions {
  return description.kind === "sql" ? { ...options, tables: tableFiles(description, options, progress) } : options;
}

/** Bytes of an object: a file of a table, or seeded ones. */
function bytesOfObject({ key, sizeBytes }: DataObject): Buffer {
  return key.startsWith("tables/") ? readFileSync(join(CACHE, key)) : objectBytes(key, sizeBytes);
}

/** Puts objects below a directory or an S3 address. @throws Error with the store's words */
export async function putObjects(
  objects: readonly DataObject[],
  address: TargetAddress,
  progress: (line: string) => void,
): Promise<void> {
  if (address.url.startsWith("file:")) {
    const root = fileURLToPath(address.url);
    for (const object of objects) {
      const file = join(root, object.key);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytesOfObject(object));
    }
    return;
  }
  const { hosts, isTls, path } = parseHttpUrl(address.url);
  const base = `${isTls ? "https" : "http"}://${hosts[0]}${path.replace(/\/?$/, "/")}`;
  let next = 0;
  let bytes = 0;
  const upload = async () => {
    for (let object = objects[next++]; object !== undefined; object = objects[next++]) {
      let url = new URL(base + object.key.split("/").map(encodeURIComponent).join("/"));
      if (address.credentials !== undefined) {
        url = presignUrl(
          { method: "PUT", url, headers: {} },
          { credentials: address.credentials, region: address.region ?? "us-east-1", expiresS: 3600 },
        );
      }
      const body = new Uint8Array(bytesOfObject(object));
      const response = await fetch(url, { method: "PUT", body, signal: AbortSignal.timeout(PUT_MS) });
      const words = await response.text();
      if (!response.ok) throw new Error(`PUT ${object.key}: ${response.status} ${words.slice(0, 300)}`);
      bytes += object.sizeBytes;
      if (next % 1000 === 0) progress(`${next} of ${objects.length} objects, ${(bytes / 1e6).toFixed(0)} MB`);
    }
  };
  await Promise.all(Array.from({ length: UPLOADS }, upload));
}

/** The demo's files: what there is, made in an order that has something of each kind early, and resumable. */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { makeImage } from "./image.ts";
import { makeLog } from "./log-text.ts";
import { seededRandom } from "./random.ts";
import { writeEmbeddings, writeLineItems } from "./table.ts";

/** How much to make; 1 is some 300 MB. */
export interface DemoScale {
  readonly tables: number;
  readonly tableRows: number;
  readonly embeddings: number;
  readonly embeddingRows: number;
  readonly images: number;
  readonly logs: number;
  readonly logBytes: number;
}

/** What the first start makes: some 300 MB in about 900 files. */
export const DEMO_SCALE: DemoScale = {
  tables: 4,
  tableRows: 200_000,
  embeddings: 6,
  embeddingRows: 10_000,
  images: 900,
  logs: 12,
  logBytes: 5_000_000,
};

/** Bytes that the demo needs on the disk, roughly and rather too many. */
export const DEMO_BYTES = 360_000_000;

const README = `# The demo mount of a Ringlight cluster

Made at the first start, the same on every machine:
  tables/lineitem-*.parquet      order lines, several row groups a file
  embeddings/part-*.parquet      vectors of 384 floats with labels
  images/*/*.jpg                 JPEG headers with noise for a scan, 20 to 200 KB
  logs/*.jsonl                   log lines; logs/live.jsonl grows while the demo reader runs

Read it through the S3 endpoint as the bucket "demo", or with: ringlight ls /demo -r
`;

interface DemoFile {
  readonly name: string;
  /** Writes the file at the given place. */
  make(file: string): Promise<void>;
}

const MIN_IMAGE_BYTES = 20_000;
const MAX_IMAGE_BYTES = 200_000;
const IMAGES_PER_FOLDER = 100;

function number(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}

/** All files, one kind after the other. */
function kinds(scale: DemoScale): DemoFile[][] {
  const size = seededRandom(7);
  const list = (count: number, make: (index: number) => DemoFile) => Array.from({ length: count }, (_, i) => make(i));
  return [
    list(scale.tables, (index) => ({
      name: `tables/lineitem-${number(index, 2)}.parquet`,
      make: (file) => writeLineItems(file, index + 1, scale.tableRows, Math.ceil(scale.tableRows / 4)),
    })),
    list(scale.embeddings, (index) => ({
      name: `embeddings/part-${number(index, 2)}.parquet`,
      make: (file) => writeEmbeddings(file, index + 1, scale.embeddingRows, Math.ceil(scale.embeddingRows / 4)),
    })),
    list(scale.logs, (index) => ({
      name: `logs/web-${number(index, 2)}.jsonl`,
      make: (file) => writeFile(file, makeLog(index + 1, scale.logBytes)),
    })),
    list(scale.images, (index) => {
      const name = `images/${number(Math.floor(index / IMAGES_PER_FOLDER), 2)}/${number(index, 5)}.jpg`;
      // Squared: many small ones, few large ones.
      const bytes = Math.floor(MIN_IMAGE_BYTES + size() ** 2 * (MAX_IMAGE_BYTES - MIN_IMAGE_BYTES));
      return { name, make: (file) => writeFile(file, makeImage(name, index, bytes)) };
    }),
  ];
}

/** Takes from every kind in proportion, so that a part of the list is a fair sample of the whole. */
function interleave(groups: readonly DemoFile[][]): DemoFile[] {
  return groups
    .flatMap((group) => group.map((file, index) => ({ file, at: index / group.length })))
    .sort((a, b) => a.at - b.at)
    .map(({ file }) => file);
}

/** State of the making. */
export interface DemoProgress {
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
}

/**
 * Makes the files that are not there yet in `dir`, each complete before it has its name, and tells of each. Interrupted
 * and started again, it goes on where it was.
 */
export async function makeDemoData(
  dir: string,
  scale: DemoScale,
  onProgress: (progress: DemoProgress) => void,
): Promise<DemoProgress> {
  const readme: DemoFile = { name: "README.md", make: (file) => writeFile(file, README) };
  const files = [readme, ...interleave(kinds(scale))];
  const scratch = `${dir}.partial`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  let progress: DemoProgress = { files: 0, totalFiles: files.length, bytes: 0 };
  for (const { name, make } of files) {
    const file = path.join(dir, name);
    if (!existsSync(file)) {
      mkdirSync(path.dirname(file), { recursive: true });
      const partial = path.join(scratch, path.basename(name));
      await make(partial);
      renameSync(partial, file);
    }
    progress = { ...progress, files: progress.files + 1, bytes: progress.bytes + statSync(file).size };
    onProgress(progress);
  }
  rmSync(scratch, { recursive: true, force: true });
  return progress;
}

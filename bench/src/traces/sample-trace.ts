/** A small trace in the format of the recorded ones: image files listed, asked about, opened and read by a few readers. */
import { RandomStream } from "../workloads/random.ts";

/** Text of a CSV file with the columns caller, operation, path, start, end. */
export function sampleTrace(options: {
  readonly files: number;
  readonly epochs: number;
  readonly seed: number;
}): string {
  const random = new RandomStream(options.seed, "sample-trace");
  const names = Array.from({ length: options.files }, (_, file) => {
    const directory = `sample/val/n${String(1440764 + (file >> 3)).padStart(8, "0")}`;
    return {
      path: `${directory}/image_${String(file).padStart(5, "0")}.JPEG`,
      directory,
      bytes: 20_000 + random.below(180_000),
    };
  });
  const lines = ["caller,operation,path,start,end"];
  for (const directory of new Set(names.map((name) => name.directory))) lines.push(`main,ls,${directory},,`);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (const file of random.permutation(names.length)) {
      const { path, bytes } = names[file]!;
      const caller = `reader-${random.below(4)}`;
      lines.push(`${caller},info,${path},,`, `${caller},_open,${path},,`, `${caller},cat_file,${path},0,${bytes}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

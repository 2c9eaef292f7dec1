// A reporter of node:test that yields one line of JSON: the counts of the whole run.

/** @param {AsyncIterable<{type: string, data: {file?: string, counts?: Record<string, number>}}>} source */
export default async function* countReporter(source) {
  for await (const event of source) {
    // A summary without a file is the run's own; the others are of one file each.
    if (event.type === "test:summary" && event.data.file === undefined) yield `${JSON.stringify(event.data.counts)}\n`;
  }
}

/** What leaves the console: a chart's or a table's numbers as CSV or JSON, and files that the browser saves. */

/** Columns of equal length beside their times, seconds since the epoch. */
export interface ExportedSeries {
  readonly times: readonly number[];
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** A field of CSV after RFC 4180. A text that a spreadsheet would take for a formula is made plain by an apostrophe. */
export function csvField(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** Rows as CSV, with a line for the titles. */
export function toCsv(
  titles: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
): string {
  return `${[titles, ...rows].map((row) => row.map(csvField).join(",")).join("\r\n")}\r\n`;
}

/** A chart's numbers as CSV: ISO times, a column a line, gaps left empty. */
export function seriesCsv({ times, series }: ExportedSeries): string {
  return toCsv(
    ["time", ...series.map((line) => line.name)],
    times.map((time, index) => [
      new Date(time * 1000).toISOString(),
      ...series.map((line) => line.values[index] ?? null),
    ]),
  );
}

/** A chart's numbers as JSON: one record a step. */
export function seriesJson({ times, series }: ExportedSeries): string {
  const records = times.map((time, index) => ({
    time: new Date(time * 1000).toISOString(),
    ...Object.fromEntries(series.map((line) => [line.name, line.values[index] ?? null])),
  }));
  return `${JSON.stringify(records, undefined, 2)}\n`;
}

/** Lets the browser save a file. */
export function saveFile(name: string, content: string | Blob, type = "text/plain"): void {
  const blob = typeof content === "string" ? new Blob([content], { type }) : content;
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has begun once the click returns; a second is kept for browsers that read late.
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** A canvas with a title above it and a ground beneath it, as PNG. */
export function canvasPng(source: HTMLCanvasElement, title: string, host: HTMLElement): Promise<Blob | null> {
  const scale = source.width / Math.max(1, source.clientWidth);
  const style = getComputedStyle(host);
  const root = getComputedStyle(document.documentElement);
  const head = Math.round(30 * scale);
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height + head;
  const context = canvas.getContext("2d");
  if (!context) return Promise.resolve(null);
  context.fillStyle = root.backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.color;
  context.font = `600 ${Math.round(13 * scale)}px ${style.fontFamily}`;
  context.fillText(title, 10 * scale, 20 * scale);
  context.drawImage(source, 0, head);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

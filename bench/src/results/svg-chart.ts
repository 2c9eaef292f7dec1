/** Charts as inline SVG: lines over time and bars, with a table of the same numbers. Colours are CSS variables of the report. */

/** Points of one line; y may be missing at places. */
export interface ChartSeries {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A chart. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly ChartSeries[];
  /** Formats values of the y axis. */
  readonly format: (value: number) => string;
  readonly formatX?: (value: number) => string;
  readonly logX?: boolean;
  readonly logY?: boolean;
}

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 78;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 34;
/** Lines are told apart by their dashes, too. */
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4", "10 4"];
const MOST_POINTS = 400;

/** Escapes text for HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Round numbers that divide a range into some five parts. */
function ticks(low: number, high: number): number[] {
  const span = high - low || 1;
  const raw = span / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw)!;
  const marks: number[] = [];
  for (let at = Math.ceil(low / unit) * unit; at <= high + unit * 1e-9; at += unit)
    marks.push(Number(at.toPrecision(12)));
  return marks;
}

function logTicks(low: number, high: number): number[] {
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of high / low > 1000 ? [1] : [1, 2, 5]) {
      const mark = factor * 10 ** power;
      if (mark >= low * 0.999 && mark <= high * 1.001) marks.push(mark);
    }
  }
  return marks;
}

function thinned(points: ChartSeries["points"]): ChartSeries["points"] {
  const step = Math.ceil(points.length / MOST_POINTS);
  return step <= 1 ? points : points.filter((_, at) => at % step === 0);
}

/** Draws a chart with its legend and its table. */
export function lineChart(chart: LineChart): string {
  const series = chart.series.map(({ name, points }) => ({
    name,
    points: thinned(points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!chart.logY || y > 0))),
  }));
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return "";
  const xs = all.map(([x]) => x);
  const ys = all.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const yHigh = Math.max(...ys) * 1.05 || 1;
  const y0 = chart.logY ? Math.min(...ys) * 0.8 : 0;
  const part = (value: number, low: number, high: number, isLog: boolean) => {
    if (high === low) return 0.5;
    return isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  };
  const px = (x: number) => LEFT + part(x, x0, x1, chart.logX ?? false) * (WIDTH - LEFT - RIGHT);
  const py = (y: number) => HEIGHT - BOTTOM - part(y, y0, yHigh, chart.logY ?? false) * (HEIGHT - TOP - BOTTOM);
  const formatX = chart.formatX ?? ((value: number) => String(Number(value.toPrecision(6))));
  const yMarks = (chart.logY ? logTicks(y0, yHigh) : ticks(y0, yHigh)).map(
    (mark) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(mark).toFixed(1)}" y2="${py(mark).toFixed(1)}"/>` +
      `<text class="tick" text-anchor="end" x="${LEFT - 6}" y="${(py(mark) + 4).toFixed(1)}">${escapeHtml(chart.format(mark))}</text>`,
  );
  const xMarks = (chart.logX && x0 > 0 ? logTicks(x0, x1) : ticks(x0, x1)).map(
    (mark) =>
      `<text class="tick" text-anchor="middle" x="${px(mark).toFixed(1)}" y="${HEIGHT - BOTTOM + 16}">${escapeHtml(formatX(mark))}</text>`,
  );
  const lines = series.map(({ points }, at) => {
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
    const dash = DASHES[at % DASHES.length];
    const stroke = `class="line c${at % 6}"${dash ? ` stroke-dasharray="${dash}"` : ""}`;
    if (points.length === 1) {
      return `<circle class="dot c${at % 6}" cx="${px(points[0]![0]).toFixed(1)}" cy="${py(points[0]![1]).toFixed(1)}" r="3"/>`;
    }
    return `<polyline ${stroke} points="${path}"/>`;
  });
  const legend = series.map(
    ({ name }, at) =>
      `<span class="key"><svg width="26" height="8"><line class="line c${at % 6}" x1="0" x2="26" y1="4" y2="4"${
        DASHES[at % DASHES.length] ? ` stroke-dasharray="${DASHES[at % DASHES.length]}"` : ""
      }/></svg>${escapeHtml(name)}</span>`,
  );
  const svg =
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(chart.title)}">` +
    `${yMarks.join("")}${xMarks.join("")}` +
    `<text class="axis" text-anchor="middle" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 3}">${escapeHtml(chart.xLabel)}</text>` +
    `${lines.join("")}</svg>`;
  return figure(chart.title, chart.yLabel, `${legend.join("")}`, svg, tableOf(chart, series, formatX));
}

function tableOf(chart: LineChart, series: readonly ChartSeries[], formatX: (value: number) => string): string {
  const rows = new Map<number, (string | undefined)[]>();
  for (const [at, { points }] of series.entries()) {
    for (const [x, y] of points) {
      const row = rows.get(x) ?? [];
      row[at] = chart.format(y);
      rows.set(x, row);
    }
  }
  return htmlTable(
    [chart.xLabel, ...series.map(({ name }) => name)],
    [...rows].sort(([a], [b]) => a - b).map(([x, cells]) => [formatX(x), ...series.map((_, at) => cells[at] ?? "")]),
  );
}

/** Bars, one a row, with their values beside them. */
export function barChart(
  title: string,
  bars: readonly { readonly name: string; readonly value: number; readonly mark?: number; readonly tone?: number }[],
  format: (value: number) => string,
): string {
  const shown = bars.filter(({ value }) => Number.isFinite(value));
  if (shown.length === 0) return "";
  const greatest = Math.max(...shown.map(({ value, mark = 0 }) => Math.max(value, mark))) || 1;
  const row = 24;
  const left = 250;
  const width = (value: number) => (value / greatest) * (WIDTH - left - 110);
  const drawn = shown.map(({ name, value, mark, tone = 0 }, at) => {
    const y = at * row;
    const line =
      mark === undefined
        ? ""
        : `<line class="mark" x1="${(left + width(mark)).toFixed(1)}" x2="${(left + width(mark)).toFixed(1)}" y1="${y + 2}" y2="${y + row - 4}"/>`;
    return (
      `<text class="tick" text-anchor="end" x="${left - 8}" y="${y + 16}">${escapeHtml(name)}</text>` +
      `<rect class="bar c${tone % 6}" x="${left}" y="${y + 4}" width="${Math.max(1, width(value)).toFixed(1)}" height="${row - 8}" rx="2"/>${line}` +
      `<text class="value" x="${(left + width(value) + 6).toFixed(1)}" y="${y + 16}">${escapeHtml(format(value))}</text>`
    );
  });
  const svg = `<svg viewBox="0 0 ${WIDTH} ${shown.length * row}" role="img" aria-label="${escapeHtml(title)}">${drawn.join("")}</svg>`;
  return figure(title, "", "", svg, "");
}

function figure(title: string, unit: string, legend: string, svg: string, table: string): string {
  const details = table === "" ? "" : `<details><summary>as a table</summary>${table}</details>`;
  const caption = `<figcaption><b>${escapeHtml(title)}</b>${unit ? ` <i>${escapeHtml(unit)}</i>` : ""}${legend}</figcaption>`;
  return `<figure>${caption}${svg}${details}</figure>`;
}

/** A table of texts. */
export function htmlTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("");
  return `<table><thead><tr>${cells("th", head)}</tr></thead><tbody>${rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("")}</tbody></table>`;
}

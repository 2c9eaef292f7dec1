/** The report: one HTML file with everything in it, for one run, or for sections of runs side by side. */
import { formatBytes, formatDuration } from "@ringlight/core";
import { compareRuns } from "./compare.ts";
import { readHistograms, readSpans, readWindows, type StoredRun } from "./run-directory.ts";
import { barChart, type ChartSeries, escapeHtml, htmlTable, lineChart } from "./svg-chart.ts";
import { comparisonTable, intervalText, partTable, remarks, runTable } from "./text-report.ts";

/** Runs of one workload side by side. */
export interface ReportSection {
  readonly runs: readonly StoredRun[];
  /** What the reader should know of the section. */
  readonly note?: string;
  /** What each is judged against: the first of them, or each of the others for the last. */
  readonly judged?: "against-first" | "last";
}

function pairsOf({ runs, judged = "against-first" }: ReportSection): (readonly [StoredRun, StoredRun])[] {
  const last = runs.at(-1)!;
  if (judged === "last") return runs.slice(0, -1).map((other) => [other, last] as const);
  return runs.slice(1).map((other) => [runs[0]!, other] as const);
}

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1d21;--dim:#5c6570;--line:#d9dee4;--c0:#0b62c4;--c1:#b4540a;--c2:#1a7f4b;--c3:#8b3fb5;--c4:#b3261e;--c5:#5c6570}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e7eaee;--dim:#9aa4af;--line:#30363d;--c0:#6cb0ff;--c1:#f0a35e;--c2:#62c791;--c3:#cf9cf0;--c4:#ff8a80;--c5:#9aa4af}}
body{margin:0 auto;max-width:1180px;padding:24px;background:var(--bg);color:var(--fg);font:14px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 6px;border-top:1px solid var(--line);padding-top:20px}
p{margin:6px 0;max-width:90ch}.dim,i{color:var(--dim);font-style:normal}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:18px;margin:12px 0}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:10px;overflow:hidden}figcaption{margin-bottom:6px}
figure svg{display:block;width:100%;height:auto}.key svg{display:inline-block;width:26px;height:8px;margin:0 5px 1px 14px}.key{white-space:nowrap}
.grid{stroke:var(--line)}.tick,.axis,.value{fill:var(--dim);font-size:12px}.value{fill:var(--fg)}
.line{fill:none;stroke-width:1.8}.mark{stroke:var(--fg);stroke-width:2;stroke-dasharray:3 2}
${[0, 1, 2, 3, 4, 5].map((at) => `.line.c${at}{stroke:var(--c${at})}.bar.c${at},.dot.c${at}{fill:var(--c${at})}`).join("")}
table{border-collapse:collapse;margin:10px 0;width:100%}th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
td{white-space:nowrap}td:first-child{white-space:normal}th{color:var(--dim);font-weight:600}.scroll{overflow-x:auto}details summary{cursor:pointer;color:var(--dim);font-size:12px;margin-top:6px}
details table{font-size:12px}.warn{border-left:3px solid var(--c4);padding-left:10px}code{font-size:12px}
`;

/** Makes the report. */
export function htmlReport(title: string, sections: readonly ReportSection[], about: readonly string[] = []): string {
  const first = sections[0]?.runs[0];
  const { machine, versions, git } = first?.manifest ?? {};
  const environment = first
    ? `${machine?.cpus} x ${machine?.cpu}, ${formatBytes(Number(machine?.memoryBytes))}, Linux ${machine?.kernel}, load ${machine?.loadAverage} at the start; ` +
      `Node ${versions?.node}; revision ${git?.revision.slice(0, 12)}${git?.dirty ? " with changes" : ""}; ${new Date(first.manifest.startedMs).toISOString()}`
    : "";
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">` +
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><h1>${escapeHtml(title)}</h1>` +
    `<p class="dim">${escapeHtml(environment)}</p>${about.map((line) => `<p>${escapeHtml(line)}</p>`).join("")}` +
    `${overview(sections)}${sections.map(sectionHtml).join("")}</body></html>\n`
  );
}

/** A line for each two that are compared: who is faster, by how much. */
function overview(sections: readonly ReportSection[]): string {
  const pairs = sections.flatMap((section) =>
    pairsOf(section).map((pair) => ({ pair, isOne: section.runs.length === 2 })),
  );
  const rows = pairs.flatMap(({ pair: [a, b], isOne }) => {
    if (a.summary.median === undefined || b.summary.median === undefined) return [];
    const { comparisons } = compareRuns(a, b);
    const throughput = comparisons.find(({ metric }) => metric === "throughput");
    const server = b.summary.median.server ?? a.summary.median.server;
    const au = [a, b].map(({ summary }) => summary.median?.training?.utilization);
    return [
      [
        a.summary.title.replace("Replay of a trace", "Trace") +
          (isOne ? "" : `: ${b.summary.target} / ${a.summary.target}`),
        throughput ? intervalText(throughput.ratio, "x") : "",
        `${formatDuration(a.summary.median.p50Ms)} / ${formatDuration(b.summary.median.p50Ms)}`,
        `${formatDuration(a.summary.median.p99Ms)} / ${formatDuration(b.summary.median.p99Ms)}`,
        au[0] === undefined ? "" : au.map((value) => `${((value ?? 0) * 100).toFixed(1)} %`).join(" / "),
        server?.hitRate === undefined ? "" : `${(server.hitRate * 100).toFixed(1)} %`,
      ],
    ];
  });
  if (rows.length < 2) return "";
  const [a, b] = pairs.every(({ isOne }) => isOne) ? pairs[0]!.pair.map(({ summary }) => summary.target) : ["A", "B"];
  const head = ["workload", `throughput ${b} / ${a}`, `p50 ${a} / ${b}`, `p99 ${a} / ${b}`, `AU ${a} / ${b}`, "hits"];
  return `<div class="scroll">${htmlTable(head, rows)}</div>`;
}

function sectionHtml(section: ReportSection): string {
  const { runs, note } = section;
  const [first] = runs;
  if (first === undefined) return "";
  const said = runs.flatMap((run) =>
    remarks(run).map((remark) => `<p class="warn">${escapeHtml(`${run.summary.target}: ${remark}`)}</p>`),
  );
  const compared = pairsOf(section).map(([a, b]) => comparisonHtml(a, b));
  const table = runTable(runs);
  const parts = partTable(runs);
  const description = first.manifest.workload as { readonly source?: string };
  const charts = [
    overTime(
      runs,
      "Throughput over time",
      "bytes a second",
      (row) => row.bytes,
      (value) => `${formatBytes(value)}/s`,
    ),
    overTime(
      runs,
      "Requests over time",
      "answers a second",
      (row) => row.requests,
      (value) => value.toFixed(0),
    ),
    latencyOverTime(runs),
    quantiles(runs),
    hitsOverTime(runs),
    utilization(runs),
    storeTraffic(runs),
    rateChart(runs),
  ];
  return (
    `<h2>${escapeHtml(first.summary.title)}</h2><p class="dim">${escapeHtml(`${first.summary.workload}, seed ${first.manifest.seed}. ${description.source ?? ""}`)}</p>` +
    `${note ? `<p>${escapeHtml(note)}</p>` : ""}${said.join("")}${compared
      .flatMap(({ warnings }) => warnings)
      .map((warning) => `<p class="warn">${escapeHtml(warning)}</p>`)
      .join("")}${compared.map(({ sentence }) => `<p><b>${escapeHtml(sentence)}</b></p>`).join("")}` +
    `<div class="scroll">${htmlTable(table.head, table.rows)}</div><div class="charts">${charts.join("")}</div>` +
    `${parts ? `<div class="scroll">${htmlTable(parts.head, parts.rows)}</div>` : ""}` +
    `${compared.map(({ table: comparison }) => `<details><summary>the comparison in figures</summary><div class="scroll">${comparison}</div></details>`).join("")}` +
    `${slowest(runs)}<details><summary>how to run it again</summary><p><code>${escapeHtml(first.manifest.command.join(" "))}</code></p>` +
    `<pre>${escapeHtml(JSON.stringify({ options: first.manifest.options, planDigest: first.manifest.planDigest }, null, 2))}</pre></details>`
  );
}

function comparisonHtml(a: StoredRun, b: StoredRun): { sentence: string; warnings: readonly string[]; table: string } {
  const comparison = compareRuns(a, b);
  const table = comparisonTable(comparison);
  return {
    sentence: comparison.sentence,
    // What is wrong with single runs stands above them.
    warnings: comparison.warnings.filter((warning) => /rounds were not|machines/.test(warning)),
    table: htmlTable(table.head, table.rows),
  };
}

/** Seconds of the measured rounds after each other, warm-up left out. */
function secondsOf<T>(
  run: StoredRun,
  value: (row: ReturnType<typeof readWindows>[number]) => T,
): (readonly [number, T])[] {
  const rows = readWindows(run.directory).filter(({ round }) => round > 0);
  const starts = new Map<number, number>();
  let offset = 0;
  for (const round of run.summary.rounds) {
    starts.set(round.round, offset);
    offset += Math.ceil(round.seconds);
  }
  return rows.map((row) => [(starts.get(row.round) ?? 0) + row.second, value(row)] as const);
}

function overTime(
  runs: readonly StoredRun[],
  title: string,
  yLabel: string,
  value: (row: ReturnType<typeof readWindows>[number]) => number,
  format: (value: number) => string,
): string {
  const series = runs.map((run): ChartSeries => ({ name: run.summary.target, points: secondsOf(run, value) }));
  return lineChart({ title, xLabel: "seconds of measured rounds", yLabel, series, format });
}

function latencyOverTime(runs: readonly StoredRun[]): string {
  const series = runs.flatMap((run): ChartSeries[] => [
    { name: `${run.summary.target} p50`, points: secondsOf(run, (row) => row.p50Ms) },
    { name: `${run.summary.target} p99`, points: secondsOf(run, (row) => row.p99Ms) },
  ]);
  return lineChart({
    title: "Latency over time",
    xLabel: "seconds of measured rounds",
    yLabel: "from the intended start, log scale",
    series,
    format: formatDuration,
    logY: true,
  });
}

const SHARES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999];

function quantiles(runs: readonly StoredRun[]): string {
  const series = runs.map((run): ChartSeries => {
    const merged = [...readHistograms(run.directory)].filter(([name]) => /^[1-9]\d*\/\w+\/latency$/.test(name));
    const [first, ...others] = merged.map(([, histogram]) => histogram);
    for (const other of others) first?.add(other);
    const known = SHARES.filter((share) => first !== undefined && first.count * (1 - share) >= 1);
    return {
      name: run.summary.target,
      points: known.map((share) => [1 / (1 - share), first?.quantileMs(share) ?? Number.NaN] as const),
    };
  });
  return lineChart({
    title: "Quantiles of latency",
    xLabel: "quantile",
    yLabel: "all measured rounds, log scale",
    series,
    format: formatDuration,
    formatX: (value) => (value <= 1 ? "0" : `${Number((100 * (1 - 1 / value)).toPrecision(6))} %`),
    logX: true,
    logY: true,
  });
}

/** Hits by tier as the answers themselves told (Cache-Status). */
function hitsOverTime(runs: readonly StoredRun[]): string {
  const series = runs.flatMap((run): ChartSeries[] => {
    const rows = secondsOf(run, (row) => row.outcomes);
    const kinds = new Set(rows.flatMap(([, outcomes]) => Object.keys(outcomes)));
    return [...kinds].sort().map((kind) => ({
      name: `${run.summary.target}: ${kind}`,
      points: rows.map(([second, outcomes]) => {
        const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
        return [second, total === 0 ? Number.NaN : (outcomes[kind] ?? 0) / total] as const;
      }),
    }));
  });
  return lineChart({
    title: "Answers by tier and reason",
    xLabel: "seconds of measured rounds",
    yLabel: "share of answers",
    series: series.slice(0, 6),
    format: (value) => `${(value * 100).toFixed(0)} %`,
  });
}

function utilization(runs: readonly StoredRun[]): string {
  const bars = runs.flatMap(({ summary }, tone) => {
    const of = (name: string, value: number | undefined, mark: number | undefined) =>
      value === undefined || mark === undefined ? [] : [{ name: `${summary.target}, ${name}`, value, mark, tone }];
    return [
      ...of("first access", summary.warmUp?.training?.utilization, summary.warmUp?.training?.passMark),
      ...of("median", summary.median?.training?.utilization, summary.median?.training?.passMark),
    ];
  });
  return barChart("Accelerator utilisation (the dashed line passes)", bars, (value) => `${(value * 100).toFixed(1)} %`);
}

function storeTraffic(runs: readonly StoredRun[]): string {
  const bars = runs.flatMap(({ summary }, tone) =>
    [summary.warmUp, summary.median].flatMap((figures, at) => {
      if (figures === undefined) return [];
      const isDirect = figures.server === undefined && figures.storeCostUsd !== undefined;
      const bytes = figures.server?.storeBytes ?? (isDirect ? figures.bytes : undefined);
      if (bytes === undefined) return [];
      return [
        {
          name: `${summary.target}, ${at === 0 ? "first access" : "a round"}`,
          value: bytes,
          tone,
          cost: figures.storeCostUsd ?? 0,
        },
      ];
    }),
  );
  const traffic = barChart("Bytes from the store", bars, formatBytes);
  const costs = bars.map(({ name, cost, tone }) => ({ name, value: cost * 1e6, tone }));
  return (
    traffic +
    barChart("Cost at the store, a million such rounds, at list prices", costs, (value) => `${value.toFixed(0)} USD`)
  );
}

/** An open loop at several rates: latency over what was offered. */
function rateChart(runs: readonly StoredRun[]): string {
  const stepped = runs.filter(({ summary }) => new Set(summary.rounds.map(({ rate }) => rate)).size > 1);
  if (stepped.length === 0) return "";
  const series = stepped.flatMap(({ summary }): ChartSeries[] => [
    { name: `${summary.target} p50`, points: summary.rounds.map((round) => [round.rate ?? 0, round.p50Ms] as const) },
    { name: `${summary.target} p99`, points: summary.rounds.map((round) => [round.rate ?? 0, round.p99Ms] as const) },
  ]);
  return lineChart({
    title: "Latency by offered rate",
    xLabel: "requests a second offered",
    yLabel: "log scale",
    series,
    format: formatDuration,
    logY: true,
  });
}

function slowest(runs: readonly StoredRun[]): string {
  const rows = runs.flatMap(({ directory, summary }) =>
    readSpans(directory)
      .filter(({ round }) => round > 0)
      .sort((a, b) => b.latencyMs - a.latencyMs)
      .slice(0, 5)
      .map((span) => [
        summary.target,
        new Date(span.atMs).toISOString().slice(11, 23),
        `${span.op} ${span.key} ${span.length > 0 ? `${span.offset}+${span.length}` : ""}`,
        formatDuration(span.latencyMs),
        formatDuration(span.firstByteMs),
        span.outcome || span.error,
        span.traceId,
      ]),
  );
  if (rows.length === 0) return "";
  const head = ["target", "at", "request", "latency", "first byte", "outcome", "trace"];
  return `<details><summary>the slowest requests</summary><div class="scroll">${htmlTable(head, rows)}</div></details>`;
}

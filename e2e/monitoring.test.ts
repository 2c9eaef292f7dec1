/** The files of docs/monitoring: what Prometheus's own checker says of them, and that every metric in them exists. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { METRICS } from "@ringlight/telemetry";

const DIRECTORY = fileURLToPath(new URL("../docs/monitoring/", import.meta.url));

function promtool(args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync("promtool", args, { cwd: DIRECTORY, encoding: "utf8" });
  assert.equal(status, 0, `promtool ${args.join(" ")}: ${error ?? ""}\n${stdout}${stderr}`);
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** Every query of the dashboard, with Grafana's variables put in. */
function queries(): { readonly title: string; readonly expr: string }[] {
  const board = JSON.parse(readFileSync(join(DIRECTORY, "grafana-ringlight.json"), "utf8")) as {
    readonly panels: readonly Panel[];
    readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  };
  const asked = board.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  asked.push(...board.annotations.list.map(({ expr }) => ({ title: "annotation", expr })));
  return asked.map(({ title, expr }) => ({
    title,
    expr: expr.replaceAll("$__rate_interval", "1m").replaceAll("$worker", ".*"),
  }));
}

test("promtool accepts the rules, their tests and the configuration", () => {
  promtool(["check", "rules", "prometheus-rules.yml"]);
  promtool(["test", "rules", "prometheus-rules.test.yml"]);
  promtool(["check", "config", "prometheus.yml"]);
});

test("every query of the dashboard is one that Prometheus reads", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "monitoring-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const rules = queries().map(({ expr }, place) => ({ record: `query:${place}`, expr }));
  assert.ok(rules.length > 20);
  const file = join(directory, "rules.yml");
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  promtool(["check", "rules", file]);
});

test("every metric of the rules and the dashboard is one that workers have", () => {
  const units: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds" };
  const known = new Set(["up"]);
  for (const { name, unit, kind } of Object.values(METRICS)) {
    const family = name.replaceAll(".", "_");
    const suffix = units[unit] ?? "";
    const full = family.endsWith(suffix) ? family : family + suffix;
    if (kind === "histogram") for (const part of ["_bucket", "_count", "_sum"]) known.add(full + part);
    else known.add(kind === "counter" ? `${full}_total` : full);
  }
  const texts = [...queries().map(({ expr }) => expr), readFileSync(join(DIRECTORY, "prometheus-rules.yml"), "utf8")];
  const named = texts.flatMap((text) => text.match(/\b(?:ringlight|process|nodejs|v8js)_\w+/g) ?? []);
  assert.ok(named.length > 40);
  assert.deepEqual(
    [...new Set(named)].filter((name) => !known.has(name)),
    [],
  );
});

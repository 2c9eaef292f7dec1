import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { completionScript } from "./completion.ts";
import { renderCliDocs } from "./docs.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { buildProgram } from "./program.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const program = buildProgram(() => {});

function ringlight(args: readonly string[], env: Record<string, string> = {}) {
  const result = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...process.env, RINGLIGHT_ENDPOINT: "", RINGLIGHT_TOKEN: "", ...env },
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

describe("the command tree", () => {
  it("has help with examples for every command of its own, and --json for those that talk to a cluster", () => {
    const foreign = new Set(["worker", "scheduler", "registry", "console", "bench"]);
    for (const command of leaves(program)) {
      if (foreign.has(command.name())) continue;
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      assert.match(help, /Examples:\n {2}\S/, command.name());
      if (command.name() !== "completion" && command.name() !== "cat") assert.match(help, /--json/, command.name());
    }
  });

  it("is what docs/cli.md says", () => {
    const file = new URL("../../../docs/cli.md", import.meta.url);
    assert.equal(readFileSync(file, "utf8"), renderCliDocs(program), "run: node .ci/docs.mjs");
  });
});

describe("the command", () => {
  it("lists the exit codes in its help", () => {
    const { code, out } = ringlight(["--help"]);
    assert.equal(code, 0);
    for (const meaning of Object.values(EXIT_CODES)) assert.ok(out.includes(meaning), meaning);
  });

  it("ends with 2 for wrong usage and 6 where no cluster runs, naming the remedy", () => {
    assert.equal(ringlight(["frobnicate"]).code, 2);
    assert.equal(ringlight(["up", "--workers", "none"]).code, 2);
    assert.equal(ringlight(["status", "--endpoint", "nonsense"]).code, 2);
    const away = ringlight(["status"], { RINGLIGHT_DATA: "/nonexistent-ringlight" });
    assert.equal(away.code, 6);
    assert.match(away.err, /RL_NO_WORKERS: no cluster runs in \/nonexistent-ringlight; start one with ringlight up/);
  });

  it("tells errors as JSON when asked for JSON", () => {
    const { err } = ringlight(["ls", "--json"], { RINGLIGHT_DATA: "/nonexistent-ringlight" });
    assert.equal(JSON.parse(err).error.code, "RL_NO_WORKERS");
  });

  it("refuses to copy into the cluster", () => {
    const { code, err } = ringlight(["cp", MAIN, "/demo/x"], { RINGLIGHT_DATA: "/nonexistent-ringlight" });
    assert.equal(code, 5);
    assert.match(err, /RL_READ_ONLY/);
  });

  it("hands flags on to a process that it runs in the foreground", () => {
    const { code, out } = ringlight(["scheduler", "--help"]);
    assert.equal(code, 0);
    assert.match(out, /Settings of the Ringlight scheduler/);
  });
});

describe("completionScript", () => {
  it("completes commands, subcommands and options in bash", () => {
    const complete = (words: readonly string[]) => {
      const list = words.map((word) => `'${word}'`).join(" ");
      const script = `${completionScript(program, "bash")}
        COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _ringlight; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const result = spawnSync("bash", ["-c", script], { encoding: "utf8" });
      assert.equal(result.stderr, "");
      return result.stdout.trim().split("\n");
    };
    assert.deepEqual(complete(["ringlight", "ex"]), ["explain"]);
    assert.deepEqual(complete(["ringlight", "mount", "r"]), ["rm"]);
    assert.deepEqual(complete(["ringlight", "mount", "add", "/lake", "--dr"]), ["--dry-run"]);
    assert.deepEqual(complete(["ringlight", "ls", "/demo", "--rec"]), ["--recursive"]);
  });

  it("names every command for zsh", () => {
    const script = completionScript(program, "zsh");
    assert.match(script, /^#compdef ringlight/);
    for (const command of program.commands) assert.ok(script.includes(`'${command.name()}:`), command.name());
  });
});

// What each root script does once packages, Node 24 and, where it is needed, the console's build are there.
"use strict";
const path = require("node:path");
const { ensurePackages } = require("./packages.cjs");
const { ensureRuntime } = require("./runtime.cjs");
const { ensureConsole } = require("./console-build.cjs");
const { run, say } = require("./child.cjs");
const { ensureNative } = require("./native-build.cjs");

const ROOT = path.resolve(__dirname, "../../..");

/** Program of each command, and whether the console must be built first. */
const COMMANDS = {
  start: {
    program: ["apps/cli/src/main.ts", "up"],
    console: (args) => !asksForHelp(args) && !args.includes("--no-console"),
    watched: true,
  },
  run: {
    program: ["apps/cli/src/main.ts"],
    console: (args) => args[0] === "up" || args[0] === "console",
    watched: true,
  },
  bench: { program: ["bench/src/main.ts"], console: () => false },
  test: { program: [".ci/test.mjs"], console: needsConsole },
  check: { program: [".ci/check.mjs"], console: () => false },
  install: { program: [], console: () => false },
};

function asksForHelp(args) {
  return args.includes("--help") || args.includes("-h");
}

/** A filter that names only unit tests needs no console. */
function needsConsole(args) {
  const filters = args.filter((arg) => !arg.startsWith("-"));
  return filters.length === 0 || filters.some((filter) => !/^(libs|bench|apps\/(worker|scheduler|cli))\b/.test(filter));
}

async function perform(argv) {
  const command = Object.hasOwn(COMMANDS, argv[0]) ? COMMANDS[argv[0]] : undefined;
  if (!command) {
    say(`usage: node apps/cli/bootstrap.cjs ${Object.keys(COMMANDS).join("|")} [arguments]`);
    return 2;
  }
  const args = argv.slice(1);
  await ensurePackages(ROOT);
  const runtime = ensureRuntime(ROOT);
  if (!asksForHelp(args)) ensureNative(runtime);
  if (command.console(args)) await ensureConsole(ROOT, runtime);
  if (command.program.length === 0) return 0;
  const [program, ...fixed] = command.program;
  // `ringlight up` stops in order when the bootstrap that started it is gone, however it went.
  const parent = command.watched ? { RINGLIGHT_BOOTSTRAP_PID: String(process.pid) } : {};
  return await run(runtime.node, [path.join(ROOT, program), ...fixed, ...args], { env: { ...runtime.env, ...parent } });
}

/** Runs one command and resolves with the exit code of its program. Never rejects: what went wrong is said here. */
async function main(argv) {
  try {
    return await perform(argv);
  } catch (error) {
    say(error.remedy ? `${error.message}\n${error.remedy}` : error.stack);
    return 1;
  }
}

module.exports = { main };

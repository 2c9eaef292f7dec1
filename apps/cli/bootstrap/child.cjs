// Children of the bootstrap: signals pass through, exit codes come back.
"use strict";
const { spawn } = require("node:child_process");
const os = require("node:os");

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a program on the bootstrap's own terminal and resolves with its exit code (128 + n when signal n ended it).
 * A signal that reaches the bootstrap is passed on, and the bootstrap lives until the child has ended in order. A
 * terminal's Ctrl-C therefore reaches the child more than once, within milliseconds: children count such a burst as one.
 */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", ...options });
    const pass = (signal) => child.kill(signal);
    for (const signal of SIGNALS) process.on(signal, pass);
    const done = () => {
      for (const signal of SIGNALS) process.removeListener(signal, pass);
    };
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("exit", (code, signal) => {
      done();
      resolve(signal ? 128 + os.constants.signals[signal] : code);
    });
  });
}

/** An error with what to do about it. */
function failure(message, remedy) {
  return Object.assign(new Error(message), { remedy });
}

/** One calm line on standard error, so that standard output stays the program's own. */
function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Says every 20 s that the work goes on; the returned function ends it and returns the seconds that passed. */
function stopwatch(what) {
  const start = Date.now();
  const seconds = () => Math.round((Date.now() - start) / 1000);
  const timer = setInterval(() => say(`  still ${what}, ${seconds()} s so far`), 20_000);
  return () => {
    clearInterval(timer);
    return seconds();
  };
}

module.exports = { run, failure, say, stopwatch };

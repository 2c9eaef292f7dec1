// One bootstrap at a time installs or builds in a checkout; others wait for it.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { say } = require("./child.cjs");

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** The process that holds the file, or undefined when it is gone and its file was cleared away. */
function holder(file) {
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const pid = Number(text);
  if (pid > 0 && alive(pid)) return pid;
  fs.rmSync(file, { force: true });
  return undefined;
}

/** Runs `work` while holding the checkout's lock of that name. The lock of a process that died is taken over. */
async function exclusively(root, name, work) {
  const id = crypto.createHash("sha256").update(root).digest("hex").slice(0, 16);
  const file = path.join(os.tmpdir(), `ringlight-${os.userInfo().uid}-${id}-${name}.pid`);
  let told = false;
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const pid = holder(file);
    if (pid !== undefined && !told) {
      say(`Waiting for process ${pid}, which does the same in this checkout.`);
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, pid === undefined ? 10 : 300));
  }
  const release = () => fs.rmSync(file, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

module.exports = { exclusively };

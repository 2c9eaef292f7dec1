// The one script behind `npm start`, `npm test` and the other root scripts. It has no dependencies and runs on whatever
// Node the machine has (18 or newer): it gets the packages and Node 24, builds the console when its sources changed, and
// hands over. This file itself stays parseable by much older Nodes, so that they get a sentence and not a syntax error.
"use strict";

const major = Number(process.versions.node.split(".")[0]);
if (major < 18) {
  console.error(
    `Ringlight needs Node 18 or newer to start (it brings Node 24 along itself); this is Node ${process.versions.node}.
Install a newer one from https://nodejs.org or with your system's packages, and run the command again.`,
  );
  process.exit(1);
} else {
  require("./bootstrap/commands.cjs")
    .main(process.argv.slice(2))
    .then((code) => {
      process.exitCode = code;
    });
}

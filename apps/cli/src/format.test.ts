import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RinglightError } from "@ringlight/core";
import { errorLine, exitCodeOf, PartialFailure } from "./exit-codes.ts";
import { formatRuns, percent, table } from "./format.ts";

describe("table", () => {
  it("pads columns, right or left, and leaves no spaces at the end", () => {
    const text = table(
      [{ title: "NAME" }, { title: "SIZE", right: true }, { title: "X" }],
      [
        ["a", "10 MiB", "–"],
        ["long name", "1 B", ""],
      ],
    );
    assert.equal(text, "NAME         SIZE  X\na          10 MiB  –\nlong name     1 B");
  });
});

describe("percent", () => {
  it("never rounds what is not all to 100 %", () => {
    assert.deepEqual(
      [percent(0, 0), percent(0, 9), percent(9999, 10_000), percent(9, 9), percent(1, 8)],
      ["–", "0 %", "99.9 %", "100 %", "12.5 %"],
    );
  });
});

describe("formatRuns", () => {
  it("writes runs and cuts long lists", () => {
    assert.equal(formatRuns([]), "none");
    assert.equal(
      formatRuns([
        { first: 0, last: 3 },
        { first: 7, last: 7 },
      ]),
      "0-3, 7",
    );
    const many = Array.from({ length: 10 }, (_, index) => ({ first: index * 2, last: index * 2 }));
    assert.equal(formatRuns(many, 2), "0, 2, and 8 more runs");
  });
});

describe("exit codes", () => {
  it("follow the error's code", () => {
    assert.equal(exitCodeOf(new RinglightError("RL_NOT_FOUND", "x")), 4);
    assert.equal(exitCodeOf(new RinglightError("RL_PORT_IN_USE", "x")), 7);
    assert.equal(exitCodeOf(new PartialFailure("x")), 3);
    assert.equal(exitCodeOf(new Error("x")), 1);
  });

  it("name the table's remedy where the message has none of its own", () => {
    assert.match(
      errorLine(new RinglightError("RL_NO_WORKERS", "nobody answers")),
      /nobody answers\. `ringlight status`/,
    );
    assert.equal(errorLine(new RinglightError("RL_CONFLICT", "busy; wait")), "ringlight: RL_CONFLICT: busy; wait.");
  });
});

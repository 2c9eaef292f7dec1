import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "../wire.ts";
import { kindsOf } from "./problem-kinds.ts";

const problem = (kind: Problem["kind"], subject: string, severity: Problem["severity"] = "warning"): Problem => ({
  kind,
  subject,
  severity,
  title: `${kind} ${subject}`,
  cause: "",
  remedy: "",
});

test("problems of one kind and one severity stand together, in the order of the list", () => {
  const list = [
    problem("worker_down", "a", "critical"),
    problem("ring_behind", "b"),
    problem("ring_behind", "c"),
    problem("worker_hot", "b"),
    problem("ring_behind", "d", "critical"),
  ];
  assert.deepEqual(
    kindsOf(list).map((alike) => alike.map(({ subject }) => subject)),
    [["a"], ["b", "c"], ["b"], ["d"]],
  );
  assert.deepEqual(kindsOf([]), []);
});

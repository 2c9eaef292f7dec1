/** Pages of docs/ that are made from the tables of this package. */
import { ERRORS } from "./errors.ts";
import { MISS_REASONS } from "./outcome.ts";

/** docs/errors.md. */
export function renderErrorDocs(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { grpc, http, s3, meaning, remedy }]) =>
      `| \`${code}\` | ${grpc} | ${http} | ${s3} | ${meaning} | ${remedy.replaceAll("|", "\\|")} |`,
  );
  return [
    "# Errors",
    "",
    "Every error of Ringlight carries a code of this table, at every door: gRPC (in the trailer `rl-code`), HTTP and S3, the",
    "command line and the console. The message beside it names what was wrong in the case at hand.",
    "",
    "This page is generated from `libs/core/src/errors.ts`.",
    "",
    "| code | gRPC | HTTP | S3 | meaning | remedy |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

/** docs/miss-reasons.md. */
export function renderMissReasonDocs(): string {
  const rows = Object.entries(MISS_REASONS).map(
    ([name, { sentence, remedy }]) => `| \`${name}\` | ${sentence} | ${remedy} |`,
  );
  return [
    "# Why a read missed",
    "",
    "Every page request that the cache could not serve has one of these reasons. It stands in the `Cache-Status` header of the",
    "answer, in the metric `ringlight.cache.requests`, in `ringlight explain`, and in the console.",
    "",
    "This page is generated from `libs/core/src/outcome.ts`.",
    "",
    "| reason | what happened | what to do |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

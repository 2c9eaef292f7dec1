/** The plan of any description. */
import type { Description } from "./description.ts";
import { microPlan } from "./micro.ts";
import { checkpointPlan, imagesPlan, safetensorsPlan, shardsPlan, vectorsPlan } from "./model-plans.ts";
import type { TableFile } from "./parquet-layout.ts";
import type { Plan } from "./plan.ts";
import { sqlPlan } from "./sql.ts";
import { trainingPlan } from "./training.ts";

/** What a plan depends on besides the description. */
export interface PlanOptions {
  readonly seed: number;
  /** Share of the files, or of a table's files, that there are: the data set shrinks and keeps its shape. */
  readonly scale: number;
  /** Share of a record's or an object's bytes, and of the computation time: the demand in bytes a second stays. */
  readonly recordScale: number;
  readonly accelerator?: string | undefined;
  readonly accelerators?: number | undefined;
  readonly epochs?: number | undefined;
  /** Users or readers, instead of the description's. */
  readonly users?: number | undefined;
  /** An engine, instead of the description's. */
  readonly engine?: "trino" | "spark" | "duckdb" | undefined;
  /** For SQL: the files of the tables with their footers. */
  readonly tables?: readonly TableFile[] | undefined;
}

/** Options with nothing scaled. */
export const FULL: PlanOptions = { seed: 1, scale: 1, recordScale: 1 };

/** Makes the plan of a workload. @throws RL_BAD_REQUEST when the options do not fit it */
export function makePlan(description: Description, options: PlanOptions): Plan {
  switch (description.kind) {
    case "training":
      return trainingPlan(description, options);
    case "checkpoint":
      return checkpointPlan(description, options);
    case "safetensors":
      return safetensorsPlan(description, options);
    case "images":
      return imagesPlan(description, options);
    case "shards":
      return shardsPlan(description, options);
    case "vectors":
      return vectorsPlan(description, options);
    case "sql":
      return sqlPlan(description, options);
    case "micro":
      return microPlan(description, options);
  }
}

"use client";
/** How a trace's outcome looks: its colour, its shape and its words say the same. */
import { MISS_REASONS, type MissReason } from "@ringlight/core";
import type { TraceSummary } from "@ringlight/trace-store";
import { Swatch, tierColour } from "@ringlight/ui";

/** What the whole trace came to. */
export type TraceOutcome = "error" | "miss" | "hit" | "joined" | "bypass" | "other";

/** Outcome of a trace: a failure is worse than a miss, whatever the pages say. */
export function outcomeOf(trace: TraceSummary): TraceOutcome {
  if (trace.errorCount > 0) return "error";
  const outcome = trace.outcome;
  return outcome === "miss" || outcome === "hit" || outcome === "joined" || outcome === "bypass" ? outcome : "other";
}

const COLOURS: Readonly<Record<TraceOutcome, string>> = {
  error: "var(--rl-bad)",
  miss: "var(--rl-ufs)",
  hit: tierColour("mem"),
  joined: "var(--rl-joined)",
  bypass: "var(--rl-bypass)",
  other: "var(--rl-tier-other)",
};

/** Colour and words of an outcome. */
export function outcomeLook(outcome: TraceOutcome): { colour: string; words: (trace: TraceSummary) => string } {
  return {
    colour: COLOURS[outcome],
    words: (trace) => {
      if (outcome === "error") return trace.errorCount === 1 ? "1 error" : `${trace.errorCount} errors`;
      if (outcome === "miss") return trace.missReason ? `miss, ${trace.missReason}` : "miss";
      if (outcome === "hit") return trace.tier ? `hit, ${trace.tier}` : "hit";
      return outcome === "other" ? "–" : outcome;
    },
  };
}

/** The outcome in a table's cell, with its reason's sentence on hover. */
export function OutcomeCell({ trace }: { trace: TraceSummary }) {
  const outcome = outcomeOf(trace);
  const look = outcomeLook(outcome);
  const sentence = MISS_REASONS[trace.missReason as MissReason]?.sentence;
  if (outcome === "other") return <span className="text-subtle">–</span>;
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap" title={sentence}>
      <Swatch colour={look.colour} />
      <span className={outcome === "error" ? "font-medium text-bad" : ""}>{look.words(trace)}</span>
    </span>
  );
}

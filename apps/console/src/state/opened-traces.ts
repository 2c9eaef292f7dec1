"use client";
/** Traces that were opened from files: they live in this tab, and no server sees them. */
import { buildTraceTree } from "@ringlight/ui";
import type { TraceView } from "../wire-telemetry.ts";
import { type FileTrace, fromOtlpJson } from "./otlp-json.ts";

/** Ids of opened traces begin with this, so that they never hide one of the store. */
const PREFIX = "file-";

const opened = new Map<string, TraceView>();

/** The trace of that id, if it was opened from a file in this tab. */
export function openedTrace(id: string): TraceView | undefined {
  return opened.get(id);
}

/** Whether an id is one of an opened file. */
export function isOpenedId(id: string): boolean {
  return id.startsWith(PREFIX);
}

function viewOf(trace: FileTrace): TraceView {
  const { resources, spans, traceId } = trace;
  const tree = buildTraceTree(spans);
  const root = tree.roots[0]?.span;
  return {
    source: "embedded",
    summary: {
      traceId,
      version: 0,
      name: root?.name ?? "",
      service: resources[root?.resource ?? 0]?.service ?? "unknown_service",
      rooted: root !== undefined && root.parentSpanId === undefined,
      startMs: tree.startMs,
      durationMs: tree.endMs - tree.startMs,
      spanCount: spans.length,
      errorCount: spans.filter((span) => span.status === "error").length,
      services: [...new Set(resources.map((resource) => resource.service))],
      class: "recent",
    },
    resources,
    spans,
    offset: 0,
    total: spans.length,
    logCount: 0,
  };
}

/** Opens a file's traces and returns their ids. @throws Error in words for the reader */
export async function openTraceFile(file: File): Promise<string[]> {
  let traces: FileTrace[];
  try {
    traces = fromOtlpJson(await file.text());
  } catch {
    throw new Error(`${file.name} is not JSON; a trace is saved as OTLP JSON`);
  }
  if (traces.length === 0) throw new Error(`${file.name} holds no span; a trace is saved as OTLP JSON`);
  return traces.map((trace) => {
    const id = `${PREFIX}${trace.traceId}`;
    opened.set(id, viewOf(trace));
    return id;
  });
}

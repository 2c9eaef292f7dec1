"use client";
/** Opening saved traces: by a button, or by dropping a file on the page. Nothing is sent anywhere. */
import { Icon } from "@ringlight/ui";
import { useRouter } from "next/navigation";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { openTraceFile } from "../../state/opened-traces.ts";

/** The button that opens files, and the page's ear for dropped ones. */
export function OpenFile({ onOpened }: { onOpened?: (ids: readonly string[]) => void }) {
  const router = useRouter();
  const input = useRef<HTMLInputElement>(null);
  const [error, setError] = useState("");
  const [over, setOver] = useState(false);
  const open = async (files: readonly File[]) => {
    setError("");
    try {
      const ids: string[] = [];
      for (const file of files) ids.push(...(await openTraceFile(file)));
      const [first, second] = ids;
      if (onOpened) onOpened(ids);
      else if (first) router.push(`/traces/${first}${second && ids.length === 2 ? `?view=diff&other=${second}` : ""}`);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  const act = useRef(open);
  act.current = open;
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      void act.current([...(event.dataTransfer?.files ?? [])]);
    };
    window.addEventListener("dragover", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, []);
  return (
    <>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        multiple
        hidden
        data-testid="trace-file"
        onChange={(event) => {
          void open([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <button
        type="button"
        className="rl-button"
        title="Open a saved trace (OTLP JSON); two are compared. Files can be dropped on the page too"
        onClick={() => input.current?.click()}
      >
        <Icon name="upload" size={14} />
        Open file
      </button>
      {error ? (
        <span role="alert" className="text-xs font-medium text-bad">
          {error}
        </span>
      ) : null}
      {over ? <DropHint>Drop a saved trace to open it here; two are compared</DropHint> : null}
    </>
  );
}

function DropHint({ children }: { children: ReactNode }) {
  return (
    <div className="pointer-events-none fixed inset-3 z-50 flex items-center justify-center rounded-xl border-2 border-dashed border-accent bg-accent-soft/80 text-base font-medium text-text">
      {children}
    </div>
  );
}

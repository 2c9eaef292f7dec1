"use client";
import { useEffect, useState } from "react";
import { Icon } from "./icons.tsx";

/** The CLI line that does the same, with a button that copies it. */
export function CopyCommand({ command, label = "CLI" }: { command: string; label?: string }) {
  const [state, setState] = useState<"idle" | "copied" | "refused">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 1600);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = () => {
    const done = navigator.clipboard?.writeText(command) ?? Promise.reject(new Error("no clipboard"));
    done.then(
      () => setState("copied"),
      () => setState("refused"),
    );
  };
  return (
    <div className="flex min-w-0 max-w-full items-center gap-2 rounded-md border border-line bg-raised py-0.5 pr-0.5 pl-2.5 text-left">
      <span className="text-[10px] font-semibold tracking-wider text-subtle uppercase">{label}</span>
      <code className="min-w-0 flex-1 truncate py-1 font-mono text-xs text-text" title={command}>
        {command}
      </code>
      <button
        type="button"
        onClick={copy}
        aria-label={`Copy command: ${command}`}
        className="rl-icon-button"
        title="Copy"
      >
        <Icon name={state === "copied" ? "check" : "copy"} size={14} className={state === "copied" ? "text-ok" : ""} />
      </button>
      <span role="status" className="sr-only">
        {state === "copied" ? "Copied" : state === "refused" ? "The browser refused the clipboard" : ""}
      </span>
    </div>
  );
}

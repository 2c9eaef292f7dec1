"use client";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";

/** One thing that a menu can do. */
export interface MenuItem {
  readonly label: string;
  /** A few words beneath the label's line, to its right. */
  readonly hint?: string;
  readonly onSelect: () => void;
  readonly disabled?: boolean;
}

/** A button that opens a short menu. Arrows move in it, Escape closes it and gives the focus back. */
export function Menu({ label, icon, items }: { label: string; icon: ReactNode; items: readonly MenuItem[] }) {
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    frame.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const leave = (event: PointerEvent) => {
      if (event.target instanceof Node && !frame.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", leave);
    return () => document.removeEventListener("pointerdown", leave);
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const move = (step: number) => {
    const entries = [...(frame.current?.querySelectorAll<HTMLElement>("[role=menuitem]:not(:disabled)") ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    entries[(at + step + entries.length) % entries.length]?.focus();
  };

  const onKey = (event: KeyboardEvent) => {
    if (!open) return;
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Tab") setOpen(false);
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div ref={frame} className="relative">
      <button
        ref={button}
        type="button"
        className="rl-icon-button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={label}
        title={label}
        onKeyDown={onKey}
        onClick={() => setOpen(!open)}
      >
        {icon}
      </button>
      {open ? (
        <div
          id={id}
          role="menu"
          aria-label={label}
          className="absolute top-full right-0 z-30 mt-1 min-w-44 rounded-md border border-line bg-overlay p-1 shadow-pop"
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              disabled={item.disabled}
              onKeyDown={onKey}
              className="flex w-full items-center justify-between gap-4 rounded px-2.5 py-1.5 text-left text-[13px] whitespace-nowrap hover:bg-raised focus-visible:bg-raised disabled:opacity-50"
              onClick={() => {
                close();
                item.onSelect();
              }}
            >
              {item.label}
              {item.hint ? <span className="text-xs text-subtle">{item.hint}</span> : null}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}

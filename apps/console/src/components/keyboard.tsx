"use client";
import { Icon } from "@ringlight/ui";
import { useRouter } from "next/navigation";
import { useEffect, useRef } from "react";
import { useLive } from "../state/live.tsx";

const GO: Readonly<Record<string, string>> = {
  o: "/",
  r: "/ring",
  w: "/workers",
  m: "/mounts",
  b: "/browse",
  k: "/keys",
};

const MAP: readonly (readonly [string, string])[] = [
  ["g o", "Overview"],
  ["g r", "Ring"],
  ["g w", "Workers"],
  ["g m", "Mounts"],
  ["g b", "Browse"],
  ["g k", "Access keys"],
  ["p", "Pause or go on"],
  ["?", "This map"],
  ["Esc", "Close"],
];

/** How long after `g` the second key counts. */
const CHORD_MS = 1200;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Keys that work on every page. */
export function useShortcuts({ onMap }: { onMap: () => void }): void {
  const router = useRouter();
  const { paused, setPaused } = useLive();
  const chord = useRef(0);
  const act = useRef({ onMap, paused, setPaused });
  act.current = { onMap, paused, setPaused };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const target = event.timeStamp - chord.current < CHORD_MS ? GO[event.key] : undefined;
      chord.current = event.key === "g" ? event.timeStamp : 0;
      if (target) router.push(target);
      else if (event.key === "?") act.current.onMap();
      else if (event.key === "p") act.current.setPaused(!act.current.paused);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [router]);
}

/** The list of keys. */
export function KeyboardMap({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (open && !element?.open) element?.showModal();
    if (!open && element?.open) element.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      onClose={onClose}
      aria-labelledby="keyboard-map"
      className="m-auto w-80 rounded-xl border border-line bg-overlay p-0 text-text shadow-pop backdrop:bg-black/40"
    >
      <div className="flex items-center justify-between border-b border-line py-2.5 pr-2.5 pl-4">
        <h2 id="keyboard-map" className="text-sm font-semibold">
          Keyboard
        </h2>
        <button type="button" className="rl-icon-button" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2 p-4 text-[13px]">
        {MAP.map(([keys, what]) => (
          <div key={keys} className="contents">
            <dt className="flex gap-1">
              {keys.split(" ").map((key) => (
                <kbd key={key} className="rl-key">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd className="text-muted">{what}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}

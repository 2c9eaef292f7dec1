"use client";
import { absoluteRange, Icon, ScrollRegion, shiftWindow, zoomOut } from "@ringlight/ui";
import { useRouter } from "next/navigation";
import { useEffect, useRef } from "react";
import { PAGES } from "../pages.ts";
import { useLive } from "../state/live.tsx";
import { useRange, windowOf } from "../state/time-range.ts";
import { copyRange, OPEN_TIME_PICKER, pastedRange } from "./time-picker.tsx";

/** The keys of the map, by what they are for. */
const MAP: readonly { readonly name: string; readonly keys: readonly (readonly [string, string])[] }[] = [
  { name: "Go to", keys: PAGES.map((page) => [`g ${page.key}`, page.name]) },
  {
    name: "Everywhere",
    keys: [
      ["Ctrl K", "Command palette"],
      ["/", "Search or filter of the page"],
      ["p", "Pause or go on"],
      ["?", "This map"],
      ["Esc", "Close"],
    ],
  },
  {
    name: "Time range",
    keys: [
      ["t t", "Change it"],
      ["t ←", "Earlier"],
      ["t →", "Later"],
      ["t z", "Zoom out"],
      ["t c", "Copy it"],
      ["t v", "Paste one"],
    ],
  },
  {
    name: "A chart that has the focus",
    keys: [
      ["← →", "Read step by step"],
      ["Shift ← →", "Choose a window"],
      ["Enter", "Zoom to the window"],
    ],
  },
  {
    name: "A trace",
    keys: [
      ["↑ ↓", "Span above, below"],
      ["← →", "Fold, unfold"],
      ["Enter", "Details of the span"],
      ["n N", "Next, previous match"],
    ],
  },
];

/** How long after `g` or `t` the second key counts. */
const CHORD_MS = 1200;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Keys that work on every page; draws nothing. */
export function Shortcuts({ onMap, onPalette }: { onMap: () => void; onPalette: () => void }): null {
  const router = useRouter();
  const { paused, setPaused } = useLive();
  const [range, setRange] = useRange();
  const chord = useRef<{ key: string; atMs: number }>({ key: "", atMs: 0 });
  const act = useRef({ onMap, onPalette, paused, setPaused, range, setRange });
  act.current = { onMap, onPalette, paused, setPaused, range, setRange };
  useEffect(() => {
    const go = (key: string): boolean => {
      const page = PAGES.find((candidate) => candidate.key === key);
      if (page) router.push(page.href);
      return page !== undefined;
    };
    const time = (key: string): boolean => {
      const { range: written, setRange: set } = act.current;
      const now = Date.now();
      if (key === "t") window.dispatchEvent(new Event(OPEN_TIME_PICKER));
      else if (key === "z") set(absoluteRange(zoomOut(windowOf(written), now)));
      else if (key === "ArrowLeft") set(absoluteRange(shiftWindow(windowOf(written), -1, now)));
      else if (key === "ArrowRight") set(absoluteRange(shiftWindow(windowOf(written), 1, now)));
      else if (key === "c") void copyRange(written).catch(() => {});
      else if (key === "v")
        void pastedRange().then(
          (pasted) => pasted && set(pasted),
          () => {},
        );
      else return false;
      return true;
    };
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        act.current.onPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]") && event.key !== "?") return;
      const first = event.timeStamp - chord.current.atMs < CHORD_MS ? chord.current.key : "";
      chord.current = { key: "", atMs: 0 };
      if ((first === "g" && go(event.key)) || (first === "t" && time(event.key))) event.preventDefault();
      else if (event.key === "g" || event.key === "t") chord.current = { key: event.key, atMs: event.timeStamp };
      else if (event.key === "?") act.current.onMap();
      else if (event.key === "p") act.current.setPaused(!act.current.paused);
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("main [data-search]");
        if (!search) return;
        event.preventDefault();
        search.focus();
        search.select();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [router]);
  return null;
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
      className="m-auto max-h-[85dvh] w-[min(44rem,calc(100vw-2rem))] rounded-xl border border-line bg-overlay p-0 text-text shadow-pop backdrop:bg-black/40"
    >
      <div className="flex items-center justify-between border-b border-line py-2.5 pr-2.5 pl-4">
        <h2 id="keyboard-map" className="text-sm font-semibold">
          Keyboard
        </h2>
        <button type="button" className="rl-icon-button" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      <ScrollRegion label="Keys" className="gap-x-8 overflow-auto p-4 text-[13px] sm:columns-2">
        {MAP.map((group) => (
          <section key={group.name} aria-label={group.name} className="mb-4 break-inside-avoid">
            <h3 className="mb-1.5 text-xs font-medium text-subtle">{group.name}</h3>
            <dl className="grid grid-cols-[6.5rem_1fr] items-center gap-x-3 gap-y-1.5">
              {group.keys.map(([keys, what]) => (
                <div key={keys} className="contents">
                  <dt className="flex gap-1">
                    {keys.split(" ").map((key, place) => (
                      <kbd key={`${place.toString()}${key}`} className="rl-key">
                        {key}
                      </kbd>
                    ))}
                  </dt>
                  <dd className="text-muted">{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </ScrollRegion>
    </dialog>
  );
}

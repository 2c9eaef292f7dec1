"use client";
import { useSyncExternalStore } from "react";

const DARK = "(prefers-color-scheme: dark)";

function subscribe(listener: () => void): () => void {
  const scheme = window.matchMedia(DARK);
  scheme.addEventListener("change", listener);
  const attribute = new MutationObserver(listener);
  attribute.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    scheme.removeEventListener("change", listener);
    attribute.disconnect();
  };
}

const themeNow = () => document.documentElement.dataset.theme ?? (window.matchMedia(DARK).matches ? "dark" : "light");

/** The theme that the page shows now, "light" or "dark": what it is drawn on a canvas anew for. */
export function useTheme(): string {
  return useSyncExternalStore(subscribe, themeNow, () => "light");
}

"use client";
import { Icon, type IconName } from "@ringlight/ui";
import { useEffect, useState } from "react";

type Theme = "system" | "light" | "dark";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };
const KEY = "ringlight.theme";

/** Light, dark, or as the system has it; kept in this browser. */
export function ThemeToggle() {
  const [theme, setTheme] = useState<Theme>("system");
  useEffect(() => {
    const set = document.documentElement.dataset.theme;
    if (set === "light" || set === "dark") setTheme(set);
  }, []);
  const turn = () => {
    const next = NEXT[theme];
    setTheme(next);
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // A browser without storage forgets the choice with the tab.
    }
  };
  return (
    <button
      type="button"
      className="rl-icon-button"
      onClick={turn}
      aria-label={`Theme: ${theme}. Change to ${NEXT[theme]}`}
      title={`Theme: ${theme}`}
    >
      <Icon name={ICONS[theme]} size={17} />
    </button>
  );
}

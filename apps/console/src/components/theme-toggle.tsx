"use client";
import { Icon, type IconName } from "@ringlight/ui";
import { useEffect, useState } from "react";

/** What a browser may choose. */
type Theme = "system" | "light" | "dark";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };
const KEY = "ringlight.theme";

/** Chooses the scheme of this browser, and keeps the choice. */
export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // A browser without storage forgets the choice with the tab.
  }
}

/** Light, dark, or as the system has it; kept in this browser. */
export function ThemeToggle() {
  const [theme, show] = useState<Theme>("system");
  useEffect(() => {
    const read = () => {
      const set = document.documentElement.dataset.theme;
      show(set === "light" || set === "dark" ? set : "system");
    };
    read();
    const changes = new MutationObserver(read);
    changes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => changes.disconnect();
  }, []);
  const turn = () => setTheme(NEXT[theme]);
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

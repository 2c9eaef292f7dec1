"use client";
import { Badge, Icon, type IconName } from "@ringlight/ui";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { type ReactNode, useState } from "react";
import { useCluster } from "../state/live.tsx";
import { KeyboardMap, useShortcuts } from "./keyboard.tsx";
import { Logo } from "./logo.tsx";
import { ThemeToggle } from "./theme-toggle.tsx";

/** The pages, in the order of the navigation. */
const PAGES: readonly { href: string; name: string; icon: IconName; key: string }[] = [
  { href: "/", name: "Overview", icon: "overview", key: "o" },
  { href: "/ring", name: "Ring", icon: "ring", key: "r" },
  { href: "/workers", name: "Workers", icon: "workers", key: "w" },
  { href: "/mounts", name: "Mounts", icon: "mounts", key: "m" },
  { href: "/browse", name: "Browse", icon: "browse", key: "b" },
  { href: "/keys", name: "Access keys", icon: "key", key: "k" },
];

const isCurrent = (path: string, href: string) =>
  href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`);

/** Navigation, the cluster's name and health, and the page. */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const { snapshot, error } = useCluster();
  const [map, setMap] = useState(false);
  useShortcuts({ onMap: () => setMap((open) => !open) });
  const critical = snapshot?.problems.filter((problem) => problem.severity === "critical").length ?? 0;
  const warnings = (snapshot?.problems.length ?? 0) - critical;

  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[208px_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-surface focus:px-3 focus:py-2"
      >
        Skip to the page
      </a>
      <header className="z-30 flex items-center gap-3 border-line bg-surface max-lg:h-12 max-lg:border-b max-lg:px-4 lg:sticky lg:top-0 lg:h-dvh lg:flex-col lg:items-stretch lg:gap-0 lg:border-r lg:px-3 lg:py-4">
        <Link href="/" className="flex items-center gap-2.5 px-2" aria-label="Ringlight, to the overview">
          <Logo />
          <span className="text-[15px] font-semibold tracking-tight">Ringlight</span>
        </Link>
        <div className="min-w-0 px-2 max-lg:ml-auto lg:mt-4 lg:mb-3">
          <div className="truncate text-xs text-subtle max-sm:hidden">
            cluster <span className="font-medium text-text">{snapshot?.cluster ?? "–"}</span>
          </div>
          <div className="lg:mt-1">
            {snapshot ? (
              <Badge tone={critical ? "bad" : warnings ? "warn" : "ok"}>
                {critical + warnings === 0
                  ? "Healthy"
                  : critical + warnings === 1
                    ? "1 problem"
                    : `${critical + warnings} problems`}
              </Badge>
            ) : (
              <Badge tone={error ? "bad" : "idle"}>{error ? "Not connected" : "Connecting"}</Badge>
            )}
          </div>
        </div>
        <nav
          aria-label="Pages"
          className="max-lg:fixed max-lg:inset-x-0 max-lg:bottom-0 max-lg:z-40 max-lg:border-t max-lg:border-line max-lg:bg-surface max-lg:pb-[env(safe-area-inset-bottom)]"
        >
          <ul className="flex lg:flex-col lg:gap-0.5">
            {PAGES.map((page) => {
              const current = isCurrent(path, page.href);
              return (
                <li key={page.href} className="max-lg:flex-1">
                  <Link
                    href={page.href}
                    aria-current={current ? "page" : undefined}
                    className={`group flex items-center gap-2.5 rounded-md text-[13px] transition-colors max-lg:h-14 max-lg:flex-col max-lg:justify-center max-lg:gap-0.5 max-lg:text-[11px] lg:h-8 lg:px-2 ${
                      current
                        ? "font-medium text-text lg:bg-raised"
                        : "text-muted hover:text-text lg:hover:bg-raised/60"
                    }`}
                  >
                    <Icon name={page.icon} size={17} className={current ? "text-accent" : ""} />
                    {page.name}
                    <kbd className="ml-auto hidden font-mono text-[11px] text-subtle lg:group-hover:inline lg:group-focus-visible:inline">
                      g {page.key}
                    </kbd>
                  </Link>
                </li>
              );
            })}
          </ul>
        </nav>
        <div className="flex items-center gap-1 max-lg:order-last lg:mt-auto lg:px-1">
          <ThemeToggle />
          <button
            type="button"
            className="rl-icon-button max-lg:hidden"
            aria-label="Keyboard map"
            title="Keyboard map (?)"
            onClick={() => setMap(true)}
          >
            <Icon name="keyboard" size={17} />
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 px-4 pt-4 pb-24 outline-none sm:px-6 lg:pb-10">
        <div className="mx-auto max-w-[1440px]">{children}</div>
      </main>
      <KeyboardMap open={map} onClose={() => setMap(false)} />
    </div>
  );
}

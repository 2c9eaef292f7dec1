"use client";
import { Badge, formatCount, Icon, LoadingState } from "@ringlight/ui";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { type ReactNode, Suspense, useState } from "react";
import { isCurrentPage, PAGE_GROUPS, PAGES, type PageEntry } from "../pages.ts";
import { useCluster } from "../state/live.tsx";
import { CommandPalette } from "./command-palette.tsx";
import { KeyboardMap, Shortcuts } from "./keyboard.tsx";
import { Logo } from "./logo.tsx";
import { ThemeToggle } from "./theme-toggle.tsx";

/** Pages that a narrow screen shows in its bar; the rest are behind "More". */
const BAR = ["/", "/ring", "/traces", "/jobs"];

/**
 * Navigation, the cluster's name and health, and the page. What reads the address stands behind a Suspense: a page that is built
 * ahead does not know it, and all of this would be missing from what the browser can paint before it has run a line.
 */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const { snapshot, error } = useCluster();
  const [map, setMap] = useState(false);
  const [palette, setPalette] = useState(false);
  // The page on which the sheet was opened: one that is gone to closes it.
  const [sheetOn, setSheetOn] = useState<string>();
  const sheet = sheetOn === path;
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
                    : `${formatCount(critical + warnings)} problems`}
              </Badge>
            ) : (
              <Badge tone={error ? "bad" : "idle"}>{error ? "Not connected" : "Connecting"}</Badge>
            )}
          </div>
        </div>
        <button
          type="button"
          className="mx-0 flex h-8 items-center gap-2 rounded-md border border-line-strong bg-surface px-2 text-[13px] text-muted hover:bg-raised max-lg:order-last lg:mb-2"
          onClick={() => setPalette(true)}
          title="Command palette (Ctrl K)"
        >
          <Icon name="search" size={14} />
          <span className="max-sm:sr-only">Find or do</span>
          <kbd className="ml-auto font-mono text-[11px] text-subtle max-lg:hidden">Ctrl K</kbd>
        </button>
        <nav
          aria-label="Pages"
          className="max-lg:fixed max-lg:inset-x-0 max-lg:bottom-0 max-lg:z-40 max-lg:border-t max-lg:border-line max-lg:bg-surface max-lg:pb-[env(safe-area-inset-bottom)] lg:-mx-1 lg:min-h-0 lg:overflow-y-auto lg:px-1"
        >
          <div className="hidden lg:block">
            {PAGE_GROUPS.map((group) => (
              <section key={group.name} aria-label={group.name} className="mt-2.5 first:mt-0">
                <h2 className="px-2 pb-0.5 text-[11px] font-medium tracking-wide text-subtle">{group.name}</h2>
                <ul className="flex flex-col gap-px">
                  {group.pages.map((page) => (
                    <li key={page.href}>
                      <SideLink page={page} current={isCurrentPage(path, page.href)} />
                    </li>
                  ))}
                </ul>
              </section>
            ))}
          </div>
          <ul className="flex lg:hidden">
            {PAGES.filter((page) => BAR.includes(page.href)).map((page) => (
              <li key={page.href} className="flex-1">
                <BarLink page={page} current={isCurrentPage(path, page.href)} />
              </li>
            ))}
            <li className="flex-1">
              <button
                type="button"
                className="flex h-14 w-full flex-col items-center justify-center gap-0.5 rounded-md text-[11px] text-muted"
                aria-expanded={sheet}
                onClick={() => setSheetOn(sheet ? undefined : path)}
              >
                <Icon name="menu" size={17} />
                More
              </button>
            </li>
          </ul>
          {sheet ? (
            <ul className="grid grid-cols-3 gap-1 border-t border-line p-2 sm:grid-cols-5 lg:hidden">
              {PAGES.filter((page) => !BAR.includes(page.href)).map((page) => (
                <li key={page.href}>
                  <BarLink page={page} current={isCurrentPage(path, page.href)} />
                </li>
              ))}
            </ul>
          ) : null}
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
        <div className="mx-auto max-w-[1440px]">
          <Suspense fallback={<PageLoading path={path} />}>{children}</Suspense>
        </div>
      </main>
      <Suspense>
        <Shortcuts onMap={() => setMap((open) => !open)} onPalette={() => setPalette((open) => !open)} />
      </Suspense>
      <KeyboardMap open={map} onClose={() => setMap(false)} />
      <CommandPalette open={palette} onClose={() => setPalette(false)} onMap={() => setMap(true)} />
    </div>
  );
}

/** In place of a page until it has read its address. */
function PageLoading({ path }: { path: string }) {
  return (
    <>
      <div className="mb-4 flex min-h-8 items-center">
        <h1 className="truncate text-xl font-semibold tracking-tight">
          {PAGES.find((page) => page.href === path)?.name ?? "…"}
        </h1>
      </div>
      <LoadingState what="the page" rows={8} />
    </>
  );
}

/** A page in the column beside wide pages. */
function SideLink({ page, current }: { page: PageEntry; current: boolean }) {
  return (
    <Link
      href={page.href}
      aria-current={current ? "page" : undefined}
      className={`group flex h-[29px] items-center gap-2.5 rounded-md px-2 text-[13px] transition-colors ${
        current ? "bg-raised font-medium text-text" : "text-muted hover:bg-raised/60 hover:text-text"
      }`}
    >
      <Icon name={page.icon} size={16} className={current ? "text-accent" : ""} />
      {page.name}
      <kbd className="ml-auto hidden font-mono text-[11px] text-subtle group-hover:inline group-focus-visible:inline">
        g {page.key}
      </kbd>
    </Link>
  );
}

/** A page in the bar at the foot of narrow ones. */
function BarLink({ page, current }: { page: PageEntry; current: boolean }) {
  return (
    <Link
      href={page.href}
      aria-current={current ? "page" : undefined}
      className={`flex h-14 flex-col items-center justify-center gap-0.5 rounded-md text-[11px] ${
        current ? "font-medium text-text" : "text-muted"
      }`}
    >
      <Icon name={page.icon} size={17} className={current ? "text-accent" : ""} />
      {page.name}
    </Link>
  );
}

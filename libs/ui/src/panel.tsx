import type { ReactNode } from "react";

/** A framed region of a page with a heading of its own. */
export function Panel({
  title,
  hint,
  actions,
  children,
  className = "",
  flush = false,
  level = 2,
}: {
  title: string;
  /** A few words beside the title: unit, range, or what was counted. */
  hint?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  /** Without inner margins, for tables. */
  flush?: boolean;
  level?: 2 | 3;
}) {
  const Heading = level === 2 ? "h2" : "h3";
  return (
    <section
      aria-label={title}
      className={`flex min-w-0 flex-col rounded-lg border border-line bg-surface shadow-card ${className}`}
    >
      <header className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 px-4 pt-2.5 pb-1.5">
        <Heading className="text-[13px] font-semibold tracking-tight text-text">{title}</Heading>
        {hint ? <span className="text-xs text-subtle">{hint}</span> : null}
        {actions ? <div className="ml-auto flex items-center gap-2">{actions}</div> : null}
      </header>
      <div className={`min-w-0 flex-1 ${flush ? "" : "px-4 pb-4"}`}>{children}</div>
    </section>
  );
}

import type { ReactNode } from "react";

/** The tone of a state: what its colour, its shape and its words all say. */
export type Tone = "ok" | "warn" | "bad" | "idle";

const LOOK: Record<Tone, { text: string; shape: ReactNode }> = {
  ok: { text: "text-ok", shape: <circle cx="5" cy="5" r="4" /> },
  warn: { text: "text-warn", shape: <path d="M5 .8 9.6 9H.4z" /> },
  bad: { text: "text-bad", shape: <path d="M1 1h8v8H1z" /> },
  idle: {
    text: "text-subtle",
    shape: <circle cx="5" cy="5" r="3.2" fill="none" stroke="currentColor" strokeWidth="1.6" />,
  },
};

/** A state in words, with a sign whose colour and shape say the same. */
export function Badge({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string | undefined }) {
  const look = LOOK[tone];
  return (
    <span
      className={`inline-flex items-center gap-1.5 text-xs font-medium whitespace-nowrap ${look.text}`}
      title={title}
    >
      <svg width="9" height="9" viewBox="0 0 10 10" fill="currentColor" aria-hidden="true">
        {look.shape}
      </svg>
      {children}
    </span>
  );
}

/** A small square in a series' colour, beside its name. */
export function Swatch({ colour, hatched = false }: { colour: string; hatched?: boolean }) {
  return (
    <span
      aria-hidden="true"
      className="inline-block size-2.5 shrink-0 rounded-[3px]"
      style={{
        background: hatched ? `repeating-linear-gradient(135deg, ${colour} 0 2px, transparent 2px 4px)` : colour,
        boxShadow: hatched ? `inset 0 0 0 1px ${colour}` : undefined,
      }}
    />
  );
}

"use client";
import type { Ring as RingTable } from "@ringlight/ring";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { formatPercent } from "./format.ts";
import { resolveColours } from "./palette.ts";
import { arcAt, arcPosition, bandGeometry, donutSlices, paintBand, slicePath } from "./ring-band.ts";

/** A member as the picture shows it. */
export interface RingMemberView {
  readonly id: string;
  /** CSS colour. */
  readonly colour: string;
  readonly down: boolean;
  /** State in a word, for the labels. */
  readonly state: string;
}

/** Size of the drawing's own coordinates; the picture scales to its frame. */
const VIEW = 640;
const BAND_INNER = 0.665;
const BAND_OUTER = 0.965;
const DONUT_INNER = 172;
const DONUT_OUTER = 202;

/**
 * The real ring: an outer band in which every arc is one cell in its owner's colour, an inner donut of the shares, and
 * in the middle whatever is passed as children. A member that is down is striped and labelled; the selected member's
 * arcs stand out. The picture is of the same table that routes reads.
 */
export function Ring({
  ring,
  members,
  selected,
  onSelect,
  marker,
  children,
}: {
  ring: RingTable;
  members: readonly RingMemberView[];
  selected?: string | undefined;
  onSelect: (id: string | undefined) => void;
  /** An arc to point at, and what to call it. */
  marker?: { readonly arc: number; readonly label: string } | undefined;
  children?: ReactNode;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [sizePx, setSizePx] = useState(0);
  const [theme, setTheme] = useState(0);
  const [hover, setHover] = useState<{ x: number; y: number; arc: number } | undefined>();
  const [peek, setPeek] = useState<string | undefined>();

  const byId = useMemo(() => new Map(members.map((member) => [member.id, member])), [members]);
  const primaries = useMemo(() => {
    const owners = new Uint16Array(ring.members.length === 0 ? 0 : ring.arcs);
    for (let arc = 0; arc < owners.length; arc++) owners[arc] = ring.table[arc * ring.params.replicas]!;
    return owners;
  }, [ring]);
  const shares = useMemo(() => ring.members.map((member) => ring.share(member.id)), [ring]);
  const slices = useMemo(() => donutSlices(shares), [shares]);
  const emphasised = peek ?? selected;

  useEffect(() => {
    const box = frame.current;
    if (!box) return;
    const measure = () => setSizePx(Math.round(box.clientWidth * Math.min(2, window.devicePixelRatio || 1)));
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    measure();
    const repaint = () => setTheme((count) => count + 1);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", repaint);
    const attribute = new MutationObserver(repaint);
    attribute.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      observer.disconnect();
      attribute.disconnect();
      scheme.removeEventListener("change", repaint);
    };
  }, []);

  const geometry = useMemo(
    () => (sizePx > 0 ? bandGeometry(ring.arcs, sizePx, BAND_INNER, BAND_OUTER) : undefined),
    [ring, sizePx],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of theme changes what the tokens resolve to
  useEffect(() => {
    const target = canvas.current;
    const context = target?.getContext("2d");
    const host = frame.current;
    if (!target || !context || !host || !geometry) return;
    const [background, ...colours] = resolveColours(
      ["var(--rl-surface)", ...ring.members.map((member) => byId.get(member.id)?.colour ?? "var(--rl-subtle)")],
      host,
    );
    const image = context.createImageData(geometry.sizePx, geometry.sizePx);
    paintBand(
      image.data,
      geometry,
      primaries,
      ring.members.map((member, index) => ({
        colour: colours[index]!,
        hatched: byId.get(member.id)?.down ?? false,
        faded: emphasised !== undefined && emphasised !== member.id,
      })),
      background!,
    );
    context.putImageData(image, 0, 0);
  }, [geometry, primaries, ring, byId, emphasised, theme]);

  const overlay = bandGeometry(ring.arcs, VIEW, BAND_INNER, BAND_OUTER);
  const pin = marker && marker.arc < ring.arcs ? arcPosition(overlay, marker.arc) : undefined;
  const hovered = hover ? ring.ownersOfArc(hover.arc) : undefined;
  const summary = `Ring of ${ring.arcs} arcs at epoch ${ring.epoch}: ${ring.members
    .map(
      (member) => `${member.id} ${formatPercent(ring.share(member.id))}${byId.get(member.id)?.down ? " (down)" : ""}`,
    )
    .join(", ")}`;

  return (
    <div
      ref={frame}
      className="relative mx-auto aspect-square w-full max-w-[640px]"
      onPointerLeave={() => setHover(undefined)}
      onPointerMove={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        const scale = VIEW / box.width;
        const x = event.clientX - box.left;
        const y = event.clientY - box.top;
        const arc = ring.members.length > 0 ? arcAt(overlay, x * scale, y * scale) : undefined;
        setHover(arc === undefined ? undefined : { x, y, arc });
      }}
    >
      <canvas
        ref={canvas}
        width={Math.max(1, sizePx)}
        height={Math.max(1, sizePx)}
        role="img"
        aria-label={summary}
        data-testid="ring-canvas"
        data-members={members.length}
        className="absolute inset-0 size-full"
      />
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the donut and the table select by keyboard */}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot stand for an SVG */}
      <svg
        viewBox={`0 0 ${VIEW} ${VIEW}`}
        className="absolute inset-0 size-full"
        role="group"
        aria-label="Shares of the ring"
        onClick={() => {
          const owner = hovered?.[0];
          if (owner) onSelect(owner === selected ? undefined : owner);
        }}
      >
        <defs>
          {members.map((member, index) => (
            <pattern
              key={member.id}
              id={`rl-hatch-${index}`}
              width="7"
              height="7"
              patternUnits="userSpaceOnUse"
              patternTransform="rotate(45)"
            >
              <rect width="7" height="7" fill={member.colour} opacity="0.2" />
              <rect width="3" height="7" fill={member.colour} />
            </pattern>
          ))}
        </defs>
        {[0, 1, 2, 3].map((quarter) => {
          const angle = (quarter * Math.PI) / 2;
          const at = (radius: number) =>
            `${VIEW / 2 + Math.sin(angle) * radius} ${VIEW / 2 - Math.cos(angle) * radius}`;
          return (
            <path
              key={quarter}
              d={`M${at(311)}L${at(318)}`}
              stroke="var(--rl-line-strong)"
              strokeWidth="1.5"
              strokeLinecap="round"
            />
          );
        })}
        {slices.map(({ index, start, end }) => {
          const id = ring.members[index]!.id;
          const member = byId.get(id);
          const order = members.findIndex((other) => other.id === id);
          const gap = slices.length > 1 ? Math.min(0.012, (end - start) / 4) : 0;
          const middle = (start + end) / 2;
          const faded = emphasised !== undefined && emphasised !== id;
          const labelRadius = DONUT_INNER - (member?.down ? 30 : 15);
          return (
            // biome-ignore lint/a11y/useSemanticElements: a button element cannot stand in an SVG
            <g
              key={id}
              role="button"
              tabIndex={0}
              aria-pressed={selected === id}
              aria-label={`${id}: ${formatPercent(shares[index])} of the arcs, ${member?.state ?? "unknown"}`}
              className="rl-slice cursor-pointer"
              opacity={faded ? 0.28 : 1}
              onClick={(event) => {
                event.stopPropagation();
                onSelect(selected === id ? undefined : id);
              }}
              onKeyDown={(event) => {
                if (event.key !== "Enter" && event.key !== " ") return;
                event.preventDefault();
                onSelect(selected === id ? undefined : id);
              }}
              onPointerEnter={() => setPeek(id)}
              onPointerLeave={() => setPeek(undefined)}
            >
              <path
                d={slicePath(
                  VIEW / 2,
                  DONUT_INNER,
                  selected === id ? DONUT_OUTER + 4 : DONUT_OUTER,
                  start + gap,
                  end - gap,
                )}
                fill={member?.down ? `url(#rl-hatch-${order})` : member?.colour}
                stroke={member?.down ? member.colour : "none"}
              />
              {(end - start > 0.18 || member?.down) && slices.length > 1 ? (
                <text
                  x={VIEW / 2 + Math.sin(middle) * labelRadius}
                  y={VIEW / 2 - Math.cos(middle) * labelRadius}
                  textAnchor="middle"
                  dominantBaseline="central"
                  fontSize="13"
                  fontWeight="600"
                  fill={member?.down ? "var(--rl-bad)" : "var(--rl-muted)"}
                  className="tabular-nums"
                >
                  {member?.down ? `${order + 1} down` : order + 1}
                </text>
              ) : null}
            </g>
          );
        })}
        {pin ? (
          <g pointerEvents="none">
            <path
              d={`M${VIEW / 2 + Math.sin(pin.angle) * 206} ${VIEW / 2 - Math.cos(pin.angle) * 206}L${VIEW / 2 + Math.sin(pin.angle) * 316} ${VIEW / 2 - Math.cos(pin.angle) * 316}`}
              stroke="var(--rl-text)"
              strokeWidth="2"
              strokeLinecap="round"
            />
            <circle cx={pin.x} cy={pin.y} r="8" fill="var(--rl-surface)" stroke="var(--rl-text)" strokeWidth="2.5" />
            <circle cx={pin.x} cy={pin.y} r="2.5" fill="var(--rl-text)" />
          </g>
        ) : null}
      </svg>
      <div className="pointer-events-none absolute inset-0 flex items-center justify-center">
        <div className="w-[44%] text-center">{children}</div>
      </div>
      {hover && hovered ? (
        <div
          role="presentation"
          className="pointer-events-none absolute z-20 rounded-md border border-line bg-overlay px-2.5 py-1.5 text-xs shadow-pop"
          style={{
            left: hover.x,
            top: hover.y,
            transform: `translate(${hover.x > (frame.current?.clientWidth ?? 0) / 2 ? "calc(-100% - 12px)" : "12px"}, -50%)`,
          }}
        >
          <div className="text-muted tabular-nums">
            arc {hover.arc} of {ring.arcs}
          </div>
          <ol className="mt-0.5">
            {hovered.map((id, order) => (
              <li
                key={id}
                className={`flex items-center gap-1.5 ${order === 0 ? "font-medium text-text" : "text-muted"}`}
              >
                <span
                  className="size-2 rounded-[2px]"
                  style={{ background: byId.get(id)?.colour, opacity: order === 0 ? 1 : 0.5 }}
                />
                {id}
                {byId.get(id)?.down ? " (down)" : ""}
                {order === 0 ? "" : ` · replica ${order}`}
              </li>
            ))}
          </ol>
        </div>
      ) : null}
    </div>
  );
}

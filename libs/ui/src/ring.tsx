"use client";
import type { Ring as RingTable } from "@ringlight/ring";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { formatPercent } from "./format.ts";
import { resolveColours } from "./palette.ts";
import { arcAt, arcPosition, bandGeometry, donutSlices, paintBand, slicePath } from "./ring-band.ts";
import { flipOwners, type RingFlow, ribbons } from "./ring-flow.ts";
import { useTheme } from "./theme.ts";

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
/** Arcs flip to their new owners in this time. */
const FLIP_MS = 900;
/** With more members than this the slices are too narrow to be walked by keyboard: the table is for that. */
const MOST_BUTTONS = 60;

/** First owners of arcs, as places in a list of ids. */
interface Painting {
  readonly ids: readonly string[];
  readonly owners: Uint16Array;
}

function firstOwners(ring: RingTable): Painting {
  const owners = new Uint16Array(ring.members.length === 0 ? 0 : ring.arcs);
  for (let arc = 0; arc < owners.length; arc++) owners[arc] = ring.table[arc * ring.params.replicas]!;
  return { ids: ring.members.map((member) => member.id), owners };
}

/** The same painting with its owners as places in another list, which holds all of its ids. */
function inTermsOf(painting: Painting, ids: readonly string[]): Uint16Array {
  const places = new Map(ids.map((id, place) => [id, place]));
  const translate = Uint16Array.from(painting.ids, (id) => places.get(id)!);
  return painting.owners.map((owner) => translate[owner]!);
}

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
  before,
  flows = [],
  children,
}: {
  ring: RingTable;
  members: readonly RingMemberView[];
  selected?: string | undefined;
  onSelect: (id: string | undefined) => void;
  /** An arc to point at, and what to call it. */
  marker?: { readonly arc: number; readonly label: string } | undefined;
  /** The ring that this one is compared with: only arcs whose first owner differs are drawn in full. */
  before?: RingTable | undefined;
  /** Who hands over to whom. */
  flows?: readonly RingFlow[];
  children?: ReactNode;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [sizePx, setSizePx] = useState(0);
  const theme = useTheme();
  const [hover, setHover] = useState<{ x: number; y: number; arc: number } | undefined>();
  const [peek, setPeek] = useState<string | undefined>();

  const byId = useMemo(() => new Map(members.map((member) => [member.id, member])), [members]);
  const places = useMemo(() => new Map(members.map(({ id }, place) => [id, place])), [members]);
  const painting = useMemo(() => firstOwners(ring), [ring]);
  const shown = useRef<Painting | undefined>(undefined);
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
    return () => observer.disconnect();
  }, []);

  const geometry = useMemo(
    () => (sizePx > 0 ? bandGeometry(ring.arcs, sizePx, BAND_INNER, BAND_OUTER) : undefined),
    [ring, sizePx],
  );

  useEffect(() => {
    const target = canvas.current;
    const context = target?.getContext("2d");
    const host = frame.current;
    if (!target || !context || !host || !geometry) return;
    const previous = shown.current;
    const ids = [...new Set([...painting.ids, ...(previous?.ids ?? [])])];
    const [background, ...colours] = resolveColours(
      ["var(--rl-surface)", ...ids.map((id) => byId.get(id)?.colour ?? "var(--rl-subtle)")],
      host,
      theme,
    );
    const style = (id: string, place: number, faded: boolean) => ({
      colour: colours[place]!,
      hatched: byId.get(id)?.down ?? false,
      faded: faded || (emphasised !== undefined && emphasised !== id),
    });
    const styles = [
      ...ids.map((id, place) => style(id, place, false)),
      ...ids.map((id, place) => style(id, place, true)),
    ];
    const next = inTermsOf(painting, ids);
    if (before && before.arcs === ring.arcs) {
      // What stays is painted in the faded half of the styles.
      for (let arc = 0; arc < next.length; arc++) {
        const stays = before.members[before.primaryIndex(arc)]?.id === painting.ids[painting.owners[arc]!];
        if (stays) next[arc] = next[arc]! + ids.length;
      }
    }
    const image = context.createImageData(geometry.sizePx, geometry.sizePx);
    const paint = (owners: Uint16Array) => {
      image.data.fill(0);
      paintBand(image.data, geometry, owners, styles, background!);
      context.putImageData(image, 0, 0);
    };
    const moved = previous !== undefined && previous !== painting && previous.owners.length === next.length;
    shown.current = painting;
    if (!moved || window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      paint(next);
      return;
    }
    const old = inTermsOf(previous, ids);
    const mixed = new Uint16Array(next.length);
    const began = performance.now();
    let request = requestAnimationFrame(function step() {
      const progress = Math.min(1, (performance.now() - began) / FLIP_MS);
      flipOwners(old, next, progress * progress * (3 - 2 * progress), mixed);
      paint(mixed);
      if (progress < 1) request = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(request);
  }, [geometry, painting, before, byId, emphasised, theme, ring.arcs]);

  const overlay = bandGeometry(ring.arcs, VIEW, BAND_INNER, BAND_OUTER);
  const pin = marker && marker.arc < ring.arcs ? arcPosition(overlay, marker.arc) : undefined;
  const walkable = slices.length <= MOST_BUTTONS;
  const middles = new Map(slices.map(({ index, start, end }) => [ring.members[index]!.id, (start + end) / 2]));
  const streams = ribbons(flows, middles, VIEW / 2, DONUT_INNER - 4);
  const hovered = hover ? ring.ownersOfArc(hover.arc) : undefined;
  const named = ring.members.slice(0, MOST_BUTTONS);
  const summary = `Ring of ${ring.arcs} arcs at epoch ${ring.epoch}: ${named
    .map(
      (member) => `${member.id} ${formatPercent(ring.share(member.id))}${byId.get(member.id)?.down ? " (down)" : ""}`,
    )
    .join(", ")}${ring.members.length > named.length ? `, and ${ring.members.length - named.length} more` : ""}`;

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
          {members.map((member, index) =>
            member.down ? (
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
            ) : null,
          )}
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
          const order = places.get(id) ?? -1;
          const gap = slices.length > 1 ? Math.min(0.012, (end - start) / 4) : 0;
          const middle = (start + end) / 2;
          const faded = emphasised !== undefined && emphasised !== id;
          const labelRadius = DONUT_INNER - (member?.down ? 30 : 15);
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: a button, but where there are too many to be walked
            <g
              key={id}
              {...(walkable
                ? { role: "button", tabIndex: 0, "aria-pressed": selected === id }
                : { "aria-hidden": true })}
              aria-label={`${member?.down ? `${order + 1} down` : order + 1}, ${id}: ${formatPercent(shares[index])} of the arcs, ${member?.state ?? "unknown"}`}
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
        {streams.map((stream) => (
          <path
            key={`${stream.from} ${stream.to}`}
            d={stream.path}
            fill="none"
            stroke={byId.get(stream.to)?.colour ?? "var(--rl-subtle)"}
            strokeWidth={stream.widthPx}
            strokeOpacity={
              emphasised === undefined || emphasised === stream.from || emphasised === stream.to ? 0.42 : 0.08
            }
            strokeLinecap="round"
            className="rl-stream"
            data-testid="ring-flow"
          >
            <title>{`${stream.from} to ${stream.to}: ${formatPercent(stream.share, 2)} of the ring`}</title>
          </path>
        ))}
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

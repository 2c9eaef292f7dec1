/** How uPlot draws the console's charts. */
import type { RgbColour } from "@ringlight/ui";
import type uPlot from "uplot";

/** What differs from chart to chart. */
export interface PlotLook {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly names: readonly string[];
  readonly colours: readonly RgbColour[];
  readonly grid: RgbColour;
  readonly axis: RgbColour;
  readonly font: string;
  readonly stacked: boolean;
  readonly top: number | undefined;
  readonly binary: boolean;
  readonly format: (value: number) => string;
  readonly onHover: (index: number | undefined) => void;
  /** A window that was drawn with the pointer, seconds since the epoch. */
  readonly onSelect: (fromS: number, toS: number) => void;
  readonly onDraw: (plot: uPlot) => void;
}

/** Adds each layer to those beneath it; a step that no layer knows stays unknown. */
export function stackValues(layers: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const height = new Map<number, number>();
  return layers.map((layer) =>
    layer.map((value, index) => {
      if (value === null) return null;
      const sum = (height.get(index) ?? 0) + value;
      height.set(index, sum);
      return sum;
    }),
  );
}

const css = ([red, green, blue]: RgbColour, alpha = 1) => `rgba(${red},${green},${blue},${alpha})`;
/** Half the width of a time label. */
const LABEL_HALF_PX = 26;

/** Layers let the grid shine through. */
const LAYER_ALPHA = 0.78;
const two = (value: number) => String(value).padStart(2, "0");

/** Steps of a byte axis: powers of two, so that the labels are whole. */
const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);

/** The options of a chart. Layers of a stack are filled down to the layer beneath. */
export function plotOptions(look: PlotLook): uPlot.Options {
  const { stacked, names, colours, format } = look;
  const ticks: uPlot.Axis = {
    stroke: css(look.axis),
    font: `11px ${look.font}`,
    grid: { stroke: css(look.grid), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(50, look.widthPx),
    height: look.heightPx,
    padding: [10, 4, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      sync: { key: "ringlight" },
      points: { size: 6, width: 1.5 },
      drag: { x: true, y: false, setScale: false, dist: 5 },
    },
    scales: {
      x: { time: true },
      y: {
        range: (_plot, _low, high) => {
          if (look.top !== undefined) return [0, look.top];
          return [0, Number.isFinite(high) && high > 0 ? high * 1.12 : 1];
        },
      },
    },
    axes: [
      {
        ...ticks,
        space: 70,
        size: 26,
        grid: { show: false },
        values: (plot, splits, _axis, _space, step) =>
          splits.map((seconds) => {
            // A label that the edge would cut is left out.
            if (plot.valToPos(seconds, "x") > plot.over.clientWidth - LABEL_HALF_PX) return "";
            const date = new Date(seconds * 1000);
            if (step >= 86_400) return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
            const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
            return step < 60 ? `${minutes}:${two(date.getSeconds())}` : minutes;
          }),
      },
      {
        ...ticks,
        space: 36,
        size: 72,
        ...(look.binary ? { incrs: BINARY_STEPS } : {}),
        values: (_plot, splits) => splits.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...names.map((label, index): uPlot.Series => {
        const colour = colours[index] ?? [128, 128, 128];
        return {
          label,
          stroke: css(colour),
          width: stacked ? 0 : 1.6,
          points: { show: false },
          spanGaps: false,
          ...(stacked && index === 0 ? { fill: css(colour, LAYER_ALPHA) } : {}),
          ...(!stacked && names.length === 1 ? { fill: css(colour, 0.1) } : {}),
        };
      }),
    ],
    bands: stacked
      ? names.slice(1).map((_, index) => ({
          series: [index + 2, index + 1] as [number, number],
          fill: css(colours[index + 1] ?? [128, 128, 128], LAYER_ALPHA),
        }))
      : [],
    hooks: {
      setCursor: [
        (plot) => {
          const index = plot.cursor.idx;
          look.onHover(typeof index === "number" && (plot.cursor.left ?? -1) >= 0 ? index : undefined);
        },
      ],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width <= 0) return;
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          look.onSelect(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
        },
      ],
      draw: [look.onDraw],
    },
  };
}

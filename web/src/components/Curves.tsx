// Lines over epochs, or over any other numbered steps.
import type { ChartConfiguration } from "chart.js";
import { themeColour } from "../colours";
import { percent } from "../text";
import { Drawing } from "./Drawing";

export interface Line {
  name: string;
  colour: string;
  /** Drawn against the scale at the right, which is one of shares. */
  isShare?: boolean;
  dashed?: boolean;
  values: readonly (number | null)[];
}

interface Props {
  steps: readonly (number | string)[];
  stepName: string;
  lines: readonly Line[];
  leftName: string;
  label: string;
}

export function Curves({ steps, stepName, lines, leftName, label }: Props) {
  const config = (): ChartConfiguration => {
    const ticks = { color: themeColour("text-soft") };
    const grid = { color: themeColour("line") };
    const title = (text: string) => ({ display: true, text, color: themeColour("text-soft") });
    return {
      type: "line",
      data: {
        labels: [...steps],
        datasets: lines.map((line) => ({
          label: line.name,
          data: [...line.values],
          borderColor: line.colour,
          backgroundColor: line.colour,
          borderDash: line.dashed ? [6, 4] : [],
          yAxisID: line.isShare ? "share" : "y",
          pointRadius: steps.length > 30 ? 0 : 3,
          borderWidth: 2,
        })),
      },
      options: {
        responsive: true,
        maintainAspectRatio: false,
        animation: false,
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { labels: { color: themeColour("text"), boxWidth: 16 } } },
        scales: {
          x: { title: title(stepName), ticks, grid },
          y: {
            display: lines.some((line) => !line.isShare),
            title: title(leftName),
            ticks,
            grid,
            beginAtZero: true,
          },
          share: {
            display: lines.some((line) => line.isShare),
            position: lines.every((line) => line.isShare) ? "left" : "right",
            min: 0,
            max: 1,
            ticks: { ...ticks, callback: (value) => percent(Number(value)) },
            grid: { display: false },
          },
        },
      },
    };
  };
  return <Drawing config={config} label={label} height={280} deps={[JSON.stringify([steps, lines])]} />;
}

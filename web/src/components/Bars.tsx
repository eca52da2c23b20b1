// How likely each genre is: bars with percentages.
import type { Chart, ChartConfiguration, Plugin } from "chart.js";
import { colourOf, themeColour } from "../colours";
import { percent } from "../text";
import type { GenreShare } from "../types";
import { Drawing } from "./Drawing";

const ROW = 26;
const MOST = 12;

function percentages(shares: readonly number[]): Plugin {
  return {
    id: "percentages",
    afterDatasetsDraw(chart: Chart) {
      const { ctx } = chart;
      ctx.save();
      ctx.fillStyle = themeColour("text");
      ctx.font = "13px system-ui, sans-serif";
      ctx.textBaseline = "middle";
      chart.getDatasetMeta(0).data.forEach((bar, i) => {
        const { x, y } = bar.getProps(["x", "y"], true);
        ctx.fillText(percent(shares[i] ?? 0, 1), (x as number) + 6, y as number);
      });
      ctx.restore();
    },
  };
}

/** `proba`: every genre, the most likely first. The twelve most likely are shown, the rest as a sum. */
export function Bars({ proba, name }: { proba: readonly GenreShare[]; name: string }) {
  const shown = proba.slice(0, MOST);
  const rest = proba.slice(MOST);
  const labels = shown.map(({ genre }) => genre);
  const shares = shown.map(({ p }) => p);
  const colours = labels.map(colourOf);
  if (rest.length) {
    labels.push(`${rest.length} others`);
    shares.push(rest.reduce((sum, { p }) => sum + p, 0));
    colours.push(themeColour("line-strong"));
  }
  const words = labels.map((genre, i) => `${genre} ${percent(shares[i] ?? 0, 1)}`).join(", ");

  const config = (): ChartConfiguration => ({
    type: "bar",
    data: {
      labels,
      datasets: [
        { data: shares, backgroundColor: colours, borderRadius: 4, barPercentage: 0.8 },
      ],
    },
    options: {
      indexAxis: "y",
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      layout: { padding: { right: 58 } },
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: { min: 0, max: Math.max(0.01, ...shares), display: false },
        y: {
          grid: { display: false },
          border: { color: themeColour("line") },
          ticks: { color: themeColour("text"), font: { size: 13 }, autoSkip: false },
        },
      },
    },
    plugins: [percentages(shares)],
  });
  return (
    <Drawing
      config={config}
      label={`Probabilities for ${name}: ${words}`}
      height={labels.length * ROW + 12}
      deps={[words]}
    />
  );
}

// A Chart.js chart, described in words for those who do not see it.
import type { ChartConfiguration } from "chart.js";
import { useEffect, useRef } from "preact/hooks";
import { isDark } from "../theme";

interface Props {
  /** Called again when the theme has changed; must not keep what it has returned. */
  config: () => ChartConfiguration;
  /** What the chart shows, in words. */
  label: string;
  height: number;
  /** The chart is drawn anew when one of these changes. */
  deps: readonly unknown[];
}

export function Drawing({ config, label, height, deps }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let chart: { destroy(): void } | null = null;
    let gone = false;
    void import("./charts").then(({ Chart }) => {
      if (!gone && canvas.current) chart = new Chart(canvas.current, config());
    });
    return () => {
      gone = true;
      chart?.destroy();
    };
  }, [...deps, isDark.value]);
  return (
    <div class="drawing" style={{ height: `${height}px` }}>
      <canvas ref={canvas} role="img" aria-label={label} />
    </div>
  );
}

// The parts of Chart.js that the page uses, loaded when the first chart is drawn.
import {
  BarController, BarElement, CategoryScale, Chart, Legend, LineController, LineElement, LinearScale,
  PointElement, Tooltip,
} from "chart.js";

Chart.register(
  BarController, BarElement, CategoryScale, Legend, LineController, LineElement, LinearScale,
  PointElement, Tooltip,
);

Chart.defaults.font.family = "system-ui, sans-serif";

export { Chart };

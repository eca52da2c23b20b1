// Which genre was taken for which: a table, so that it can be read without seeing its colours.
import { percent } from "../text";
import "./confusion.css";

interface Props {
  labels: readonly string[];
  /** Tracks by genre (row) and answer (column; the last is "I don't know"). */
  counts: readonly (readonly number[])[];
}

export function Confusion({ labels, counts }: Props) {
  const columns = [...labels, "?"];
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Confusion matrix">
      <p class="small soft">
        Rows: what the tags say. Columns: what the model answered; “?” is “I don’t know”.
      </p>
      <table class="confusion">
        <thead>
          <tr>
            <td />
            {columns.map((name) => <th scope="col" key={name}><span>{name}</span></th>)}
          </tr>
        </thead>
        <tbody>
          {labels.map((name, i) => {
            const row = counts[i] ?? [];
            const total = row.reduce((sum, n) => sum + n, 0);
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                {columns.map((answer, j) => {
                  const n = row[j] ?? 0;
                  const kind = j === i ? "right" : j === labels.length ? "unknown" : "wrong";
                  const level = total ? Math.ceil((3 * n) / total) : 0;
                  const title = `${name} answered as ${answer}: ${n} of ${total}` +
                    (total ? ` (${percent(n / total)})` : "");
                  return (
                    <td key={answer} class={`number ${kind} shade-${level}`} title={title}>
                      {n || ""}
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

// What was written, and taking it back.
import { useEffect, useState } from "preact/hooks";
import { explain, get } from "../api";
import { info, say } from "../store";
import type { JournalRun } from "../types";

interface Props { libraryId: string; version: number; isBusy: boolean; onUndo: (runId: number) => void }

export function Journal({ libraryId, version, isBusy, onUndo }: Props) {
  const [runs, setRuns] = useState<JournalRun[]>([]);
  useEffect(() => {
    get<{ runs: JournalRun[] }>("journal/runs").then(
      (found) => setRuns(found.runs.filter(({ library_id }) => library_id === libraryId)),
      (error: unknown) => say(explain(error), true),
    );
  }, [libraryId, version]);
  if (!runs.length) return null;
  return (
    <section class="panel" aria-label="Journal">
      <h2>Written so far</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of what was written">
        <table>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Files</th>
              <th scope="col"><span class="hidden-text">Taking it back</span></th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <tr key={run.run_id}>
                <td>{new Date(1000 * run.started_at).toLocaleString()}</td>
                <td>{Object.entries(run.counts).map(([state, n]) => `${n} ${state}`).join(", ")}</td>
                <td>
                  {run.can_undo ? (
                    <button
                      type="button"
                      disabled={isBusy || !info.value?.allow_write}
                      onClick={() => onUndo(run.run_id)}
                    >
                      Undo<span class="hidden-text"> run {run.run_id}</span>
                    </button>
                  ) : run.undone_at ? "taken back" : ""}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

// Many files: a table to sort, to look into and to take away.
import { useState } from "preact/hooks";
import { colourOf } from "../colours";
import { type Entry, forgetAll, isWorking, selected } from "../listening";
import { count, csv, download, percent } from "../text";
import type { TrackResult } from "../types";

type Column = "name" | "genre" | "confidence" | "agreement";
const COLUMNS: Record<Column, string> = {
  name: "File", genre: "Genre", confidence: "Sure", agreement: "Slices agreeing",
};

// On a phone, what slices say is shown with each file.
const CLASSES: Partial<Record<Column, string>> = { confidence: "number", agreement: "number wide-only" };

function valueOf(entry: Entry, column: Column): string | number | null {
  if (column === "name") return entry.name;
  return entry.track?.result[column] ?? null;
}

/** What has no value comes last, however the table is sorted. */
function compare(a: Entry, b: Entry, column: Column, sign: 1 | -1): number {
  const [x, y] = [valueOf(a, column), valueOf(b, column)];
  if (x === null || y === null) return x === y ? a.id - b.id : x === null ? 1 : -1;
  if (typeof x === "number" && typeof y === "number") return sign * (x - y) || a.id - b.id;
  return sign * String(x).localeCompare(String(y), undefined, { numeric: true }) || a.id - b.id;
}

function saveCsv(all: readonly Entry[]): void {
  const head = ["file", "genre", "confidence", "agreement", "slices", "why_not", "error", "model"];
  const rows = all.map(({ name, track, error, model }) => {
    const result = track?.result;
    return [
      name, result?.genre ?? "", result?.confidence ?? "", result?.agreement ?? "",
      error ? "" : (result?.slices ?? ""), result?.rejected ?? "", error, model?.model_id ?? "",
    ];
  });
  download("genres.csv", "text/csv", csv([head, ...rows]));
}

/** A file that has never reached the server has the same keys as those that have. */
const NOTHING: Omit<TrackResult, "path" | "error"> = {
  genre: null, confidence: null, agreement: null, proba: {}, slices: 0, rejected: null,
};

function saveJson(all: readonly Entry[]): void {
  const tracks = all.map(({ name, track, error, model }) => ({
    ...(track?.result ?? { path: name, ...NOTHING, error: error || null }),
    mixture: track?.mixture ?? [],
    votes: track?.slices ?? [],
    duration_s: track?.duration_s ?? null,
    model: model && { name: model.name, model_id: model.model_id },
  }));
  download("genres.json", "application/json", `${JSON.stringify({ tracks }, null, 2)}\n`);
}

export function Results({ all }: { all: readonly Entry[] }) {
  const [column, setColumn] = useState<Column | null>(null);
  const [sign, setSign] = useState<1 | -1>(1);
  const sorted = column ? [...all].sort((a, b) => compare(a, b, column, sign)) : all;
  const finished = all.filter((entry) => !isWorking(entry));
  const answered = all.filter(({ track }) => track?.result.genre).length;
  const sortBy = (wanted: Column) => {
    setSign(wanted === column ? (sign === 1 ? -1 : 1) : wanted === "name" || wanted === "genre" ? 1 : -1);
    setColumn(wanted);
  };
  return (
    <section class="panel" aria-label="All files">
      <div class="row spread">
        <h2>{count(all.length, "file")}, {answered} with an answer</h2>
        <div class="row">
          <button type="button" disabled={!finished.length} onClick={() => saveCsv(finished)}>CSV</button>
          <button type="button" disabled={!finished.length} onClick={() => saveJson(finished)}>JSON</button>
          <button type="button" class="quiet" onClick={forgetAll}>Clear</button>
        </div>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of results">
        <table>
          <thead>
            <tr>
              {(Object.entries(COLUMNS) as [Column, string][]).map(([name, title]) => {
                const isSorted = name === column;
                return (
                  <th
                    key={name}
                    scope="col"
                    class={CLASSES[name]}
                    aria-sort={isSorted ? (sign === 1 ? "ascending" : "descending") : "none"}
                  >
                    <button type="button" onClick={() => sortBy(name)}>
                      {title}<span aria-hidden="true">{isSorted ? (sign === 1 ? " ▲" : " ▼") : " ↕"}</span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {sorted.map((entry) => <Row key={entry.id} entry={entry} />)}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const STATES = { waiting: "waiting…", sending: "sending…", listening: "listening…" } as const;

function Row({ entry }: { entry: Entry }) {
  const { id, name, state, error } = entry;
  const result = entry.track?.result;
  const isShown = selected.value === id;
  return (
    <tr class={isShown ? "shown" : undefined}>
      <td>
        <button type="button" class="quiet wraps" aria-pressed={isShown} onClick={() => (selected.value = id)}>{name}</button>
      </td>
      {state === "done" && result ? (
        <>
          <td>
            {result.genre
              ? <span class="row"><span class="dot" style={{ background: colourOf(result.genre) }} />{result.genre}</span>
              : <span title={result.rejected ?? ""}>? <span class="soft small">{result.rejected}</span></span>}
          </td>
          <td class="number">{percent(result.confidence ?? 0)}</td>
          <td class={CLASSES.agreement}>
            {Math.round((result.agreement ?? 0) * result.slices)} of {result.slices}
          </td>
        </>
      ) : (
        <td colSpan={3} class="soft">{state === "failed" ? error : STATES[state as keyof typeof STATES]}</td>
      )}
    </tr>
  );
}

// Choose many tracks at once, by how sure the model is of them.
import { useState } from "preact/hooks";
import { count, percent } from "../text";
import type { Selection } from "../types";

interface Props {
  /** Proposed tracks by confidence, in bins of equal width from 0 to 1. */
  confidences: readonly number[];
  onChoose: (selection: Selection) => void;
}

export function ByConfidence({ confidences, onChoose }: Props) {
  const nBins = confidences.length || 1;
  // At first at 70%, or where the surest tracks are.
  const [bin, setBin] = useState(() =>
    Math.min(Math.round(0.7 * nBins), Math.max(0, confidences.findLastIndex((n) => n > 0))));
  const least = bin / nBins;
  const n = confidences.slice(bin).reduce((sum, value) => sum + value, 0);
  const highest = Math.max(1, ...confidences);
  return (
    <fieldset class="by-confidence">
      <legend>Choose by confidence</legend>
      <div class="row">
        <div class="histogram">
          <div class="bins" aria-hidden="true">
            {confidences.map((value, i) => (
              <span key={i} class={i >= bin ? "in" : ""} style={{ height: `${(100 * value) / highest}%` }} />
            ))}
          </div>
          <input
            type="range"
            min={0}
            max={nBins}
            value={bin}
            aria-label="Least confidence"
            aria-valuetext={`${percent(least)}, ${count(n, "track")}`}
            onInput={(event) => setBin(Number(event.currentTarget.value))}
          />
        </div>
        <span class="number">at least {percent(least)}: {count(n, "track")}</span>
        <button type="button" disabled={!n} onClick={() => onChoose({ choice: "accepted", min_confidence: least })}>
          Accept these
        </button>
        <button type="button" class="quiet" onClick={() => onChoose({ choice: "open" })}>Accept none</button>
      </div>
    </fieldset>
  );
}

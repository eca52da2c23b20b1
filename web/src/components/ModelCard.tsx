// Which model answers, and what is known of it.
import { useEffect, useState } from "preact/hooks";
import { explain, get } from "../api";
import { models } from "../store";
import { artists, count, percent } from "../text";
import type { Counts, ModelCard as Card, ModelSource, ScoreSummary } from "../types";
import { Confusion } from "./Confusion";
import { Dialog } from "./Dialog";
import { Scores } from "./Scores";

const SOURCES: Record<ModelSource, string> = {
  shipped: "came with Earmark",
  given: "given when the server was started",
  trained: "trained here",
};

export function ModelLine() {
  const model = models.value.find((known) => known.in_use);
  if (!model) return <span />;
  const right = model.accuracy === null ? "" : `, ${percent(model.accuracy)} right when tested`;
  return (
    <span>
      Model in use: {model.name} ({count(model.labels.length, "genre")}{right}).{" "}
      <CardButton modelId={model.model_id} name={model.name} />
    </span>
  );
}

/** A button that opens a model's card. */
export function CardButton({ modelId, name }: { modelId: string; name: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" class="link" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        Card<span class="hidden-text"> of the model {name}</span>
      </button>
      {isOpen && <CardDialog modelId={modelId} name={name} onClose={() => setOpen(false)} />}
    </>
  );
}

function text(values: Record<string, unknown>, key: string): string {
  const value = values[key];
  return typeof value === "string" ? value : "";
}

function partSizes(data: Record<string, unknown>): string {
  const parts = (data["parts"] ?? {}) as Record<string, Counts>;
  return Object.entries(parts)
    .map(([name, part]) => `${name} ${part.n_tracks ?? 0} tracks of ${artists(part)} artists`)
    .join("; ");
}

function CardDialog({ modelId, name, onClose }: { modelId: string; name: string; onClose: () => void }) {
  const [card, setCard] = useState<Card | null>(null);
  const [why, setWhy] = useState("");
  useEffect(() => {
    get<Card>(`models/${modelId}`).then(setCard, (error: unknown) => setWhy(explain(error)));
  }, [modelId]);
  const leaks = card ? [...((card.data["leaks"] as string[] | undefined) ?? [])] : [];
  const backboneLeak = card ? text(card.data, "backbone_leak") : "";
  if (backboneLeak) leaks.push(backboneLeak);
  return (
    <Dialog title={`Model “${name}”`} onClose={onClose}>
      {why && <p class="note bad">{why}</p>}
      {!card && !why && <p class="soft">Loading…</p>}
      {card && (
        <>
          <dl class="facts">
            <dt>From</dt>
            <dd>{SOURCES[card.source]}{card.created && `, ${card.created.slice(0, 10)}`}</dd>
            <dt>Licence</dt>
            <dd>{card.licence}</dd>
            <dt>Knows</dt>
            <dd>{card.labels.join(", ")}</dd>
            {text(card.data, "about") && (
              <>
                <dt>Learned from</dt>
                <dd>{text(card.data, "about")}</dd>
              </>
            )}
            {partSizes(card.data) && (
              <>
                <dt>Split</dt>
                <dd>{partSizes(card.data)}; by {text(card.data, "split_by")}</dd>
              </>
            )}
            <dt>Identifier</dt>
            <dd><code>{card.model_id}</code></dd>
          </dl>
          <Scores scores={card.scores as ScoreSummary} />
          {leaks.map((leak) => <p class="note warn" key={leak}>Mind: {leak}.</p>)}
          {card.confusion && <Confusion labels={card.labels} counts={card.confusion} />}
        </>
      )}
    </Dialog>
  );
}

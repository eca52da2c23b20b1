// How a training goes, live, and what came of it.
import { useEffect, useState } from "preact/hooks";
import { explain, get, put } from "../api";
import { Confusion } from "../components/Confusion";
import { Curves } from "../components/Curves";
import { CardButton } from "../components/ModelCard";
import { Scores } from "../components/Scores";
import { loadModels, models, say } from "../store";
import { percent } from "../text";
import type { Epoch, Job, ModelCard, TrainResult } from "../types";

const BLUE = "#0072b2";
const ORANGE = "#d55e00";
const GREEN = "#009e73";

export function LiveCurves({ epochs }: { epochs: readonly Epoch[] }) {
  const last = epochs.at(-1);
  if (!last) return null;
  const best = epochs.filter((epoch) => epoch.best).at(-1) ?? last;
  return (
    <section class="panel" aria-label="Learning curves">
      <h2>Epoch {last.epoch}: {percent(last.valid_accuracy)} of the validation slices right</h2>
      <Curves
        steps={epochs.map(({ epoch }) => epoch)}
        stepName="epoch"
        leftName="loss"
        lines={[
          { name: "loss, training", colour: BLUE, values: epochs.map((epoch) => epoch.train_loss) },
          { name: "loss, validation", colour: ORANGE, values: epochs.map((epoch) => epoch.valid_loss) },
          {
            name: "right, validation", colour: GREEN, isShare: true, dashed: true,
            values: epochs.map((epoch) => epoch.valid_accuracy),
          },
        ]}
        label={`Learning curves over ${epochs.length} epochs; the lowest validation loss is ${best.valid_loss.toFixed(3)} in epoch ${best.epoch}`}
      />
    </section>
  );
}

interface Head { held_out_accuracy?: Record<string, number>; c?: number }

/** A head has no epochs: its curve is over how tightly it is held (C), chosen by leaving artists out. */
function HeadCurve({ card }: { card: ModelCard }) {
  const { held_out_accuracy: right = {}, c } = (card.training["head"] ?? {}) as Head;
  const steps = Object.entries(right).sort((a, b) => Number(a[0]) - Number(b[0]));
  if (steps.length < 2) return null;
  return (
    <section class="stack" aria-label="Choice of C">
      <h3>How strongly to learn</h3>
      <p class="small soft">
        A head is learned in one go, not in epochs. Tried is how far it follows the training tracks (C),
        on artists left out in turn; chosen was {c}.
      </p>
      <Curves
        steps={steps.map(([tried]) => tried)}
        stepName="C"
        leftName=""
        lines={[{ name: "right, artist left out", colour: GREEN, isShare: true, values: steps.map(([, p]) => p) }]}
        label={`Share right with the artist left out: ${steps.map(([tried, p]) => `${percent(p, 1)} at C ${tried}`).join(", ")}`}
      />
    </section>
  );
}

export function Outcome({ job }: { job: Job }) {
  const result = job.result as unknown as TrainResult;
  const [card, setCard] = useState<ModelCard | null>(null);
  const known = models.value.find(({ model_id }) => model_id === result.model_id);
  useEffect(() => {
    Promise.all([get<ModelCard>(`models/${result.model_id}`).then(setCard), loadModels()])
      .catch((error: unknown) => say(explain(error), true));
  }, [result.model_id]);
  const use = async () => {
    try {
      await put("models/in-use", { model_id: result.model_id });
      await loadModels();
      say("The model answers from now on");
    } catch (error) {
      say(explain(error), true);
    }
  };
  const leaks = [...((card?.data["leaks"] as string[] | undefined) ?? []), card?.data["backbone_leak"]]
    .filter((leak): leak is string => typeof leak === "string" && leak !== "");
  const name = known?.name ?? card?.name ?? "";
  return (
    <section class="panel outcome" aria-label="What came of it">
      <div class="row spread">
        <h2>The model {name && `“${name}”`}</h2>
        <div class="row">
          <CardButton modelId={result.model_id} name={name} />
          {known?.in_use
            ? <span class="chip">in use</span>
            : <button type="button" class="primary" onClick={use}>Use this model</button>}
        </div>
      </div>
      {result.stopped_early && <p class="note warn">Training was cut short: this is the best network so far.</p>}
      <Scores scores={result.scores} />
      {leaks.map((leak) => <p class="note warn" key={leak}>Mind: {leak}.</p>)}
      {card && <HeadCurve card={card} />}
      {result.confusion && (
        <div class="stack">
          <h3>What was taken for what</h3>
          <Confusion labels={result.labels} counts={result.confusion} />
        </div>
      )}
    </section>
  );
}

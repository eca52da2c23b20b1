// One file: how far it is, then its genre or "I don't know", and why.
import { colourOf } from "../colours";
import { type Entry, forget, isWorking } from "../listening";
import { percent, ranked } from "../text";
import type { AnsweringModel, GenreShare, TrackAnswer, TrackResult } from "../types";
import { Bars } from "./Bars";
import { Icon } from "./icons";
import { CardButton } from "./ModelCard";
import { Player } from "./Player";
import "./result.css";

const LEAST_RUNNER_UP = 0.01;

export function Result({ entry }: { entry: Entry }) {
  const { track, model, name } = entry;
  return (
    <section class="panel result" aria-label={`Result for ${name}`}>
      <div class="row spread">
        <h2 class="file-name">{name}</h2>
        <button type="button" class="icon quiet" aria-label={`Remove ${name}`} onClick={() => forget(entry.id)}>
          <Icon name="close" />
        </button>
      </div>
      {isWorking(entry) && <Working entry={entry} />}
      {entry.state === "failed" && <p class="note bad" role="alert">{entry.error}</p>}
      {entry.state === "done" && track && model && <Answer name={name} track={track} model={model} />}
    </section>
  );
}

/** What was heard of a track, and why that is its genre. */
export function Answer({ name, track, model }: { name: string; track: TrackAnswer; model: AnsweringModel }) {
  const { result, media, mixture } = track;
  return (
    <>
      <Verdict result={result} />
      {media && <Player name={name} media={media} slices={track.slices} />}
      <div class="columns">
        <div class="stack">
          <h3>How likely each genre is</h3>
          <Bars proba={ranked(result.proba)} name={name} />
        </div>
        <div class="stack">
          {mixture.length > 0 && <Mixture shares={mixture} />}
          <RunnersUp result={result} />
          <h3>Who says so</h3>
          <p>
            The model “{model.name}”, which knows {model.labels.length} genres.{" "}
            <CardButton modelId={model.model_id} name={model.name} />
          </p>
        </div>
      </div>
    </>
  );
}

function Working({ entry }: { entry: Entry }) {
  const words = {
    waiting: "Waiting for its turn",
    sending: `Sending, ${percent(entry.sent)}`,
    listening: "Listening",
  }[entry.state as "waiting" | "sending" | "listening"];
  return (
    <label class="stack">
      <span>{words}…</span>
      <progress {...(entry.state === "sending" ? { value: entry.sent, max: 1 } : {})} />
    </label>
  );
}

function Verdict({ result }: { result: TrackResult }) {
  const { genre, rejected, confidence, agreement, slices } = result;
  const agreeing = Math.round((agreement ?? 0) * slices);
  return (
    <div class="verdict" role="status">
      {genre
        ? <p class="genre"><span class="dot" style={{ background: colourOf(genre) }} /> {genre}</p>
        : <p class="genre unknown">I don’t know</p>}
      <p>
        {genre
          ? `${percent(confidence ?? 0)} sure; ${agreeing} of ${slices} slices say so by themselves.`
          : `Why: ${rejected}.`}
      </p>
    </div>
  );
}

function RunnersUp({ result }: { result: TrackResult }) {
  const others = ranked(result.proba).filter(({ genre, p }) => genre !== result.genre && p >= LEAST_RUNNER_UP);
  if (!others.length) return null;
  return (
    <>
      <h3>{result.genre ? "Runners-up" : "Most likely"}</h3>
      <p>
        {others.slice(0, 3).map(({ genre, p }) => `${genre} (${percent(p)})`).join(", ")}
      </p>
    </>
  );
}

function Mixture({ shares }: { shares: readonly GenreShare[] }) {
  const words = shares.map(({ genre, p }) => `${percent(p)} ${genre}`).join(", ");
  return (
    <>
      <h3>A mixture</h3>
      <div class="mixture" role="img" aria-label={`Mixture: ${words}`}>
        {shares.map(({ genre, p }) => (
          <span key={genre} style={{ width: `${100 * p}%`, background: colourOf(genre) }} />
        ))}
      </div>
      <p>The track has more than one style: {words}.</p>
    </>
  );
}

// What to learn, and how.
import { useEffect, useState } from "preact/hooks";
import { explain, post } from "../api";
import { recipes, say } from "../store";
import { count } from "../text";
import type { Job, Labels, LibraryDetail } from "../types";
import { Genres } from "./Genres";
import { type Group, groupsOf, learning } from "./groups";

const PREVIEW_AFTER_MS = 250;

interface Props { library: LibraryDetail; isBusy: boolean; onStarted: (job: Job) => void }

export function TrainForm({ library, isBusy, onStarted }: Props) {
  const [groups, setGroups] = useState<Group[]>(() => groupsOf(library.genres));
  const [minTracks, setMinTracks] = useState(10);
  const [rollUp, setRollUp] = useState(false);
  const [chosen, setChosen] = useState("");
  const [name, setName] = useState("my-model");
  // Null: as the recipe says.
  const [epochs, setEpochs] = useState<number | null>(null);
  const [labels, setLabels] = useState<Labels | null>(null);

  const recipe = recipes.value.find((known) => (chosen ? known.name === chosen : known.default));
  const wanted = { ...learning(groups), min_tracks: minTracks, roll_up: rollUp };
  const isNothing = groups.every((group) => !group.isUsed);
  useEffect(() => {
    if (isNothing) return setLabels(null);
    let gone = false;
    const timer = setTimeout(() => {
      post<Labels>(`libraries/${library.library_id}/labels`, wanted).then(
        (found) => !gone && setLabels(found),
        (error: unknown) => !gone && say(explain(error), true),
      );
    }, PREVIEW_AFTER_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [JSON.stringify(wanted), isNothing]);

  const start = async (event: Event) => {
    event.preventDefault();
    const more = recipe?.epochs ? { epochs } : {};
    try {
      onStarted(await post<Job>("jobs", {
        kind: "train", library_id: library.library_id, name: name.trim(), recipe: recipe?.name, ...wanted, ...more,
      }));
    } catch (error) {
      say(explain(error), true);
    }
  };

  return (
    <form class="panel" onSubmit={start} aria-label="What to learn">
      <div class="row spread">
        <h2>Genres in the tags</h2>
        <div class="row">
          <button type="button" class="quiet" onClick={() => setGroups(groupsOf(library.genres))}>Start over</button>
          <button
            type="button"
            class="quiet"
            onClick={() => setGroups(groups.map((group) => ({ ...group, isUsed: isNothing })))}
          >
            {isNothing ? "All" : "None"}
          </button>
        </div>
      </div>
      <p class="small soft">
        Drag one genre onto another, or use “Merge into…”, to learn both as one. What is not ticked is not learned.
      </p>
      <Genres groups={groups} onChange={setGroups} />
      <div class="row">
        <label class="field">
          <span>Fewest tracks of a genre</span>
          <input
            type="number"
            min={3}
            max={1000000}
            required
            defaultValue={minTracks}
            onInput={({ currentTarget: field }) => field.validity.valid && setMinTracks(field.valueAsNumber)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={rollUp} onChange={(event) => setRollUp(event.currentTarget.checked)} />
          Count rarer ones as their parent genre
        </label>
      </div>
      {labels && <Preview labels={labels} minTracks={minTracks} />}
      {isNothing && <p class="note warn">No genre is chosen.</p>}
      <div class="stack">
        <label class="field">
          <span>Recipe</span>
          <select
            value={recipe?.name ?? ""}
            onChange={(event) => {
              setChosen(event.currentTarget.value);
              setEpochs(null);
            }}
          >
            {recipes.value.map(({ name: known, missing_extra }) => (
              <option key={known} value={known} disabled={missing_extra !== null}>
                {known}{missing_extra && ` (needs the extra ${missing_extra}, which is not installed)`}
              </option>
            ))}
          </select>
        </label>
        {recipe && <p class="small soft">{recipe.description}: {recipe.takes}.</p>}
        {recipe?.missing_extra && (
          <p class="note warn">It needs the extra {recipe.missing_extra}, which is not installed.</p>
        )}
      </div>
      <div class="row">
        <label class="field">
          <span>Name of the model</span>
          <input
            type="text"
            required
            maxLength={60}
            pattern="[A-Za-z0-9][A-Za-z0-9 ._\-]*"
            title="Letters, digits, spaces, dots, dashes"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        {recipe?.epochs && (
          <label class="field">
            <span>Epochs, at most</span>
            <input
              type="number"
              min={1}
              max={1000}
              required
              key={recipe.name}
              defaultValue={recipe.epochs}
              onInput={({ currentTarget: field }) => field.validity.valid && setEpochs(field.valueAsNumber)}
            />
          </label>
        )}
        <button class="primary align-end" disabled={isBusy || isNothing || !labels?.enough || !recipe || recipe.missing_extra !== null}>
          Start training
        </button>
      </div>
    </form>
  );
}

function Preview({ labels, minTracks }: { labels: Labels; minTracks: number }) {
  const total = labels.genres.reduce((sum, { n }) => sum + n, 0);
  const left = [
    labels.n_unlabelled && `${count(labels.n_unlabelled, "track")} without a genre`,
    labels.n_ambiguous && `${count(labels.n_ambiguous, "track")} with two of these genres`,
  ].filter(Boolean).join(", ");
  const merged = Object.entries(labels.merged).map(([from, into]) => `${from} as ${into}`).join(", ");
  return (
    <div class="stack" role="status">
      <p>
        <strong>{count(total, "track")} of {count(labels.genres.length, "genre")}: </strong>
        {labels.genres.map(({ genre, n }) => `${genre} ${n}`).join(", ") || "none"}.
      </p>
      {labels.dropped.length > 0 && (
        <p class="small soft">
          Left out with fewer than {minTracks}: {labels.dropped.map(({ genre, n }) => `${genre} ${n}`).join(", ")}.
        </p>
      )}
      {merged && <p class="small soft">Counted as another: {merged}.</p>}
      {left && <p class="small soft">Not learned from: {left}.</p>}
      {!labels.enough && <p class="note warn">Two genres or more are needed to tell apart.</p>}
    </div>
  );
}

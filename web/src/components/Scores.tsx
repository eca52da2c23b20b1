// How good a model is, said honestly: on what it was measured, how sure that is, what guessing gives.
import { artists, count, percent } from "../text";
import type { ScoreSummary } from "../types";

const FEW = 50;

function share(value: number | null | undefined): string {
  return value === null || value === undefined ? "not measured" : percent(value, 1);
}

function interval(values: (number | null)[] | null | undefined): string {
  const [low, high] = values ?? [];
  return low == null || high == null ? "" : ` (95% interval ${percent(low)} to ${percent(high)})`;
}

export function Scores({ scores }: { scores: ScoreSummary }) {
  const { n_tracks, n_artist_unknown: nUnknown } = scores;
  const nArtists = artists(scores);
  if (!n_tracks) return <p>This model says nothing of how good it is.</p>;
  const perGenre = Object.entries(scores.per_genre ?? {});
  return (
    <div class="stack">
      <p>
        Measured on {count(n_tracks, "track")}
        {nArtists ? ` by ${count(nArtists, "artist")}` : ""} that it was not trained on:
      </p>
      {!!nUnknown && (
        <p class="note warn">
          Of {count(nUnknown, "track")} the artist is not known: if it has learned from others by the
          same artists, it is less good than this.
        </p>
      )}
      {n_tracks < FEW && (
        <p class="note warn">So few tracks say little: another {n_tracks} could give quite other numbers.</p>
      )}
      <dl class="facts">
        <dt>Right, if it must always answer</dt>
        <dd><strong>{share(scores.accuracy)}</strong>{interval(scores.accuracy_interval_95)}</dd>
        <dt>Always the commonest genre</dt>
        <dd>{share(scores.majority_baseline)} <span class="soft">(what it has to beat)</span></dd>
        <dt>Mean F1 of the genres</dt>
        <dd>{share(scores.macro_f1)}</dd>
        <dt>Answers given</dt>
        <dd>{share(scores.answered)} <span class="soft">(else “I don’t know”)</span></dd>
        <dt>Right, when it answers</dt>
        <dd>{share(scores.precision_when_answered)}</dd>
      </dl>
      {perGenre.length > 0 && (
        <details>
          <summary>Each genre</summary>
          <table class="number">
            <thead>
              <tr>
                <th scope="col">Genre</th>
                <th scope="col" class="number">Tracks</th>
                <th scope="col" class="number">Found</th>
                <th scope="col" class="number">Right of those named so</th>
              </tr>
            </thead>
            <tbody>
              {perGenre.map(([genre, { n, precision, recall }]) => (
                <tr key={genre}>
                  <th scope="row">{genre}</th>
                  <td class="number">{n}</td>
                  <td class="number">{recall === null ? "–" : percent(recall)}</td>
                  <td class="number">{precision === null ? "–" : percent(precision)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </div>
  );
}

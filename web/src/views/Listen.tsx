// Drop in songs, see their genres and why.
import { DropZone } from "../components/DropZone";
import { Result } from "../components/Result";
import { Results } from "../components/Results";
import { add, chosenModel, entries, isWorking, selected } from "../listening";
import { models } from "../store";

export function Listen() {
  const all = entries.value;
  const shown = all.find(({ id }) => id === selected.value) ?? all[0];
  const nDone = all.filter((entry) => !isWorking(entry)).length;
  return (
    <>
      <div class="row spread">
        <h1>Listen</h1>
        {models.value.length > 1 && <ModelChoice />}
      </div>
      <DropZone onFiles={add} />
      {all.length === 0 && (
        <p class="soft">
          The files are sent to the server that this page is from, listened to and removed again. Their
          tags are neither read nor changed.
        </p>
      )}
      {all.length > 1 && nDone < all.length && (
        <label class="stack">
          <span>Listened to {nDone} of {all.length}</span>
          <progress value={nDone} max={all.length} />
        </label>
      )}
      {all.length > 1 && <Results all={all} />}
      {shown && <Result key={shown.id} entry={shown} />}
    </>
  );
}

function ModelChoice() {
  return (
    <label class="row">
      <span>Model</span>
      <select
        value={chosenModel.value ?? ""}
        onChange={(event) => (chosenModel.value = event.currentTarget.value || null)}
      >
        <option value="">the one in use</option>
        {models.value.map(({ model_id, name }) => <option key={model_id} value={model_id}>{name}</option>)}
      </select>
    </label>
  );
}

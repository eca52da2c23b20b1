// Which of the folders that the server was given.
import { libraries } from "../store";
import type { Library } from "../types";

export function LibraryChoice({ chosen, onChoice }: { chosen: Library; onChoice: (id: string) => void }) {
  if (libraries.value.length < 2) return <p class="chip">{chosen.name}</p>;
  return (
    <label class="row">
      <span>Folder</span>
      <select value={chosen.library_id} onChange={(event) => onChoice(event.currentTarget.value)}>
        {libraries.value.map(({ library_id, name }) => <option key={library_id} value={library_id}>{name}</option>)}
      </select>
    </label>
  );
}

export function NoLibrary({ title }: { title: string }) {
  return (
    <>
      <h1>{title}</h1>
      <p class="note">
        The server was given no music folder. Start it with <code>earmark serve --library DIR</code>.
      </p>
    </>
  );
}

// Pick genres, and merge them: by dragging one onto another, or by taking one up and putting it down,
// which works with a finger and with keys alone.
import { useState } from "preact/hooks";
import { say } from "../store";
import { count } from "../text";
import { type Group, keyOf, merge, size, split } from "./groups";
import "./genres.css";

interface Props { groups: readonly Group[]; onChange: (groups: Group[]) => void }

export function Genres({ groups, onChange }: Props) {
  const [taken, setTaken] = useState<string | null>(null);
  const [over, setOver] = useState<string | null>(null);
  const takenName = groups.find((group) => keyOf(group) === taken)?.name;

  const put = (into: Group) => {
    if (taken && taken !== keyOf(into)) {
      onChange(merge(groups, taken, keyOf(into)));
      say(`${takenName} counts as ${into.name} now`);
    }
    setTaken(null);
    setOver(null);
  };
  const take = (group: Group) => {
    setTaken(keyOf(group));
    say(`${group.name} taken up: choose the genre that it is to count as, or Escape`);
  };
  const update = (changed: Group) =>
    onChange(groups.map((group) => (keyOf(group) === keyOf(changed) ? changed : group)));

  return (
    <ul
      class="genre-groups"
      aria-label="Genres to learn"
      onKeyDown={(event) => event.key === "Escape" && setTaken(null)}
    >
      {groups.map((group) => {
        const key = keyOf(group);
        const state = [
          "genre-group", group.isUsed ? "" : "unused", taken === key ? "taken" : "", over === key ? "over" : "",
        ].join(" ");
        return (
          <li
            key={key}
            class={state}
            draggable
            onDragStart={(event) => {
              event.dataTransfer?.setData("text/plain", group.name);
              setTaken(key);
            }}
            onDragEnd={() => {
              setTaken(null);
              setOver(null);
            }}
            onDragOver={(event) => {
              if (!taken || taken === key) return;
              event.preventDefault();
              setOver(key);
            }}
            onDragLeave={() => setOver((old) => (old === key ? null : old))}
            onDrop={(event) => {
              event.preventDefault();
              put(group);
            }}
          >
            <div class="row spread">
              <label class="check">
                <input
                  type="checkbox"
                  checked={group.isUsed}
                  onChange={(event) => update({ ...group, isUsed: event.currentTarget.checked })}
                />
                <span class={group.members.length > 1 ? "hidden-text" : ""}>{group.name}</span>
              </label>
              <span class="small soft number">{count(size(group), "track")}</span>
            </div>
            {group.members.length > 1 && (
              <>
                <label class="field">
                  <span class="hidden-text">Name of the merged genre</span>
                  <input
                    type="text"
                    value={group.name}
                    maxLength={200}
                    onChange={(event) => {
                      const name = event.currentTarget.value.trim();
                      if (name) update({ ...group, name });
                      else event.currentTarget.value = group.name;
                    }}
                  />
                </label>
                <div class="row members">
                  {group.members.map(({ genre, n }) => (
                    <button
                      type="button"
                      key={genre}
                      class="small"
                      title={`${genre}: ${count(n, "track")}`}
                      aria-label={`${genre}: take out again`}
                      onClick={() => onChange(split(groups, genre))}
                    >
                      {genre} ×
                    </button>
                  ))}
                </div>
              </>
            )}
            {taken === null || taken === key ? (
              <button
                type="button"
                class="small quiet"
                aria-pressed={taken === key}
                onClick={() => (taken === key ? setTaken(null) : take(group))}
              >
                Merge<span class="hidden-text"> {group.name}</span> into…
              </button>
            ) : (
              <button
                type="button"
                class="small primary"
                aria-label={`Here: ${takenName} counts as ${group.name}`}
                onClick={() => put(group)}
              >
                Here
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

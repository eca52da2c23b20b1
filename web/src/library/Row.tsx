// A track of a plan: what it has, what is proposed, how sure that is; accept, change, reject, play.
import { useRef, useState } from "preact/hooks";
import { colourOf } from "../colours";
import { Icon } from "../components/icons";
import { baseName, percent } from "../text";
import type { Choice, PlanItem } from "../types";
import { isPlaying, toggle } from "./playback";
import { Why } from "./Why";

interface Props {
  item: PlanItem;
  libraryId: string | null;
  onChange: (values: { choice?: Choice; genres?: string[] }) => void;
}

export function Row({ item, libraryId, onChange }: Props) {
  const [isEditing, setEditing] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const name = item.title || baseName(item.path);
  const isOpen = item.writes && !item.written;
  const plays = isPlaying(item.media);
  return (
    <li class={`track ${item.written ? "written" : item.choice}`}>
      <input
        type="checkbox"
        class="accept"
        aria-label={`Accept ${name}`}
        checked={item.written || item.choice === "accepted"}
        disabled={!isOpen}
        onChange={() => onChange({ choice: item.choice === "accepted" ? "open" : "accepted" })}
      />
      <div class="what">
        <span title={item.path}>{name}</span>
        {item.artist && <span class="small soft"> {item.artist}</span>}
        {item.reason && <p class="small soft">{item.reason}</p>}
      </div>
      <div class="genres">
        <Genres names={item.before} none="no genre" />
        <span aria-hidden="true">→</span><span class="hidden-text">becomes</span>
        {isEditing ? (
          <Edit
            name={name}
            genres={item.proposed}
            onDone={(genres) => {
              setEditing(false);
              if (genres) onChange({ genres });
            }}
          />
        ) : (
          <>
            <span class="proposed"><Genres names={item.proposed} none="nothing" /></span>
            {item.edited && <span class="small soft">yours</span>}
          </>
        )}
      </div>
      <Confidence item={item} />
      <div class="row actions">
        <button
          type="button"
          class="icon quiet play"
          aria-label={plays ? `Pause ${name}` : `Play ${name}`}
          onClick={() => toggle(item.media)}
        >
          <Icon name={plays ? "pause" : "play"} />
        </button>
        {item.written ? <span class="chip">written</span> : (
          <>
            <button type="button" class="quiet edit" aria-label={`Change the genre of ${name}`} onClick={() => setEditing(true)}>
              Change
            </button>
            <button
              type="button"
              class="quiet reject"
              aria-label={`Reject ${name}`}
              aria-pressed={item.choice === "rejected"}
              disabled={!item.writes}
              onClick={() => onChange({ choice: item.choice === "rejected" ? "open" : "rejected" })}
            >
              Reject
            </button>
          </>
        )}
        {libraryId && (
          <button type="button" class="quiet why" aria-haspopup="dialog" aria-label={`Why ${name}`} onClick={() => setAsking(true)}>
            Why
          </button>
        )}
      </div>
      {isAsking && libraryId && (
        <Why libraryId={libraryId} path={item.path} name={name} onClose={() => setAsking(false)} />
      )}
    </li>
  );
}

function Genres({ names, none }: { names: readonly string[]; none: string }) {
  if (!names.length) return <span class="soft small">{none}</span>;
  return (
    <>
      {names.map((genre) => (
        <span class="chip" key={genre}>
          <span class="dot" style={{ background: colourOf(genre) }} />{genre}
        </span>
      ))}
    </>
  );
}

function Confidence({ item }: { item: PlanItem }) {
  if (item.edited || !item.confidence) return <span class="confidence" />;
  const others = item.runners_up.map(({ genre, p }) => `${genre} ${percent(p)}`).join(", ");
  return (
    <span class="confidence" title={others && `Else ${others}`}>
      <meter min={0} max={1} value={item.confidence} aria-label="Confidence" />
      <span class="number small">{percent(item.confidence)}</span>
    </span>
  );
}

interface EditProps { name: string; genres: readonly string[]; onDone: (genres: string[] | null) => void }

/** A text field with the known genres to pick from; Enter takes it, Escape leaves it. */
function Edit({ name, genres, onDone }: EditProps) {
  const field = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  const done = (result: string[] | null) => {
    if (isDone.current) return; // leaving the field by Enter takes the focus from it as well
    isDone.current = true;
    onDone(result);
  };
  const typed = () => (field.current?.value ?? "").split(";").map((part) => part.trim()).filter(Boolean);
  const take = () => done(typed().join("\n") === genres.join("\n") ? null : typed());
  return (
    <input
      ref={(element) => {
        if (element && field.current !== element) {
          field.current = element;
          element.focus();
          element.select();
        }
      }}
      type="text"
      list="genres-to-pick"
      aria-label={`Genre of ${name}; several are parted by semicolons`}
      defaultValue={genres.join("; ")}
      onKeyDown={(event) => {
        if (event.key === "Enter") take();
        if (event.key === "Escape") done(null);
      }}
      onBlur={take}
    />
  );
}

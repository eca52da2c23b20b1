// An album of a plan: its cover and its tracks.
import { useState } from "preact/hooks";
import { address } from "../api";
import { Icon } from "../components/icons";
import { count } from "../text";
import type { Choice, PlanAlbum, PlanItem, Selection } from "../types";
import { Row } from "./Row";

interface Props {
  album: PlanAlbum;
  libraryId: string | null;
  onChoose: (selection: Selection) => void;
  onChange: (item: PlanItem, values: { choice?: Choice; genres?: string[] }) => void;
}

export function Album({ album, libraryId, onChoose, onChange }: Props) {
  const open = album.items.filter((item) => item.writes && !item.written);
  const nAccepted = open.filter(({ choice }) => choice === "accepted").length;
  const isAll = open.length > 0 && nAccepted === open.length;
  return (
    <article class="album" aria-label={album.heading}>
      <header>
        <Cover url={album.cover_url} />
        <div>
          <h3>{album.heading}</h3>
          <p class="small soft">{count(album.items.length, "track")}</p>
        </div>
        {open.length > 0 && (
          <div class="row">
            <label class="check">
              <input
                type="checkbox"
                checked={isAll}
                ref={(box) => {
                  if (box) box.indeterminate = nAccepted > 0 && !isAll;
                }}
                onChange={() => onChoose({
                  choice: isAll ? "open" : "accepted",
                  item_ids: open.map(({ item_id }) => item_id),
                })}
              />
              Accept all<span class="hidden-text"> of {album.heading}</span>
            </label>
            <button
              type="button"
              class="quiet small"
              onClick={() => onChoose({ choice: "rejected", item_ids: open.map(({ item_id }) => item_id) })}
            >
              Reject all<span class="hidden-text"> of {album.heading}</span>
            </button>
          </div>
        )}
      </header>
      <ul>
        {album.items.map((item) => (
          <Row key={item.item_id} item={item} libraryId={libraryId} onChange={(values) => onChange(item, values)} />
        ))}
      </ul>
    </article>
  );
}

function Cover({ url }: { url: string | null }) {
  const [isMissing, setMissing] = useState(!url);
  if (isMissing || !url) return <div class="cover"><Icon name="note" /></div>;
  return <img class="cover" src={address(url)} alt="" loading="lazy" onError={() => setMissing(true)} />;
}

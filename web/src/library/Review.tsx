// A plan to review, album by album, before anything is written.
import { useEffect, useRef, useState } from "preact/hooks";
import { explain, get, patch, post } from "../api";
import { info, say } from "../store";
import { count } from "../text";
import type { AlbumPage, Choice, PlanAlbum, PlanCounts, PlanDetail, PlanItem, Selection, Show } from "../types";
import { Album } from "./Album";
import { Confirm } from "./Confirm";
import { onListKey } from "./keys";
import { ByConfidence } from "./ByConfidence";
import "./review.css";

const PAGE = 50;
const SHOWN: [Show, string, keyof PlanCounts][] = [
  ["proposed", "Proposed", "proposed"],
  ["unknown", "Not known", "unknown"],
  ["error", "Unreadable", "error"],
  ["keep", "Stay as they are", "keep"],
  ["all", "All", "n_items"],
];

interface Props {
  planId: number;
  /** Changes when a job has ended: what the server has may be new. */
  version: number;
  isBusy: boolean;
  onApply: (keepMtime: boolean) => void;
}

export function Review({ planId, version, isBusy, onApply }: Props) {
  const [plan, setPlan] = useState<PlanDetail | null>(null);
  const [show, setShow] = useState<Show>("proposed");
  const [albums, setAlbums] = useState<PlanAlbum[]>([]);
  const [nAlbums, setNAlbums] = useState(0);
  const [isAsking, setAsking] = useState(false);
  const [failure, setFailure] = useState("");
  const latest = useRef(0);

  const report = (error: unknown) => say(explain(error), true);
  const load = async (from: number, n: number) => {
    const asked = ++latest.current;
    const found: PlanAlbum[] = [];
    let total = 0;
    for (let offset = from; offset < from + n; offset += PAGE) {
      const page = await get<AlbumPage>(`plans/${planId}/albums?offset=${offset}&limit=${PAGE}&show=${show}`);
      found.push(...page.albums);
      total = page.n_albums;
    }
    if (asked !== latest.current) return; // another look has been taken meanwhile
    setAlbums((old) => [...old.slice(0, from), ...found]);
    setNAlbums(total);
  };
  const loadPlan = async () => setPlan(await get<PlanDetail>(`plans/${planId}`));
  const reload = () => Promise.all([loadPlan(), load(0, Math.max(albums.length, PAGE))]);

  const open = () => {
    setFailure("");
    setAlbums([]);
    Promise.all([loadPlan(), load(0, PAGE)]).catch((error: unknown) => setFailure(explain(error)));
  };
  useEffect(open, [planId, show]);
  const loaded = useRef(version);
  useEffect(() => {
    if (version === loaded.current) return; // as at the start, which has its own look
    loaded.current = version;
    reload().catch(report);
  }, [version]);

  const choose = async (selection: Selection) => {
    try {
      const { n_changed } = await post<{ n_changed: number }>(`plans/${planId}/choose`, selection);
      await reload();
      say(`${count(n_changed, "track")} changed`);
    } catch (error) {
      report(error);
    }
  };
  const change = async (item: PlanItem, values: { choice?: Choice; genres?: string[] }) => {
    try {
      const changed = await patch<PlanItem>(`plans/${planId}/items/${item.item_id}`, values);
      setAlbums((old) => old.map((album) => ({
        ...album,
        items: album.items.map((known) => (known.item_id === changed.item_id ? changed : known)),
      })));
      await loadPlan();
    } catch (error) {
      report(error);
    }
  };

  const trouble = failure && (
    <p class="note bad row spread" role="alert">
      {failure} <button type="button" onClick={open}>Try again</button>
    </p>
  );
  if (!plan) return trouble || <p class="soft">Loading the plan…</p>;
  const { counts } = plan;
  const nToWrite = counts.accepted;
  const mayWrite = info.value?.allow_write ?? false;
  return (
    <section class="panel review" aria-label="Plan">
      <div class="row spread">
        <h2>Review the plan</h2>
        <span class="soft small">by the model {plan.model_name}</span>
      </div>
      {trouble}
      <div class="row" role="group" aria-label="Which tracks are shown">
        {SHOWN.map(([name, label, key]) => (
          <button type="button" key={name} aria-pressed={show === name} onClick={() => setShow(name)}>
            {label} <span class="number soft">{counts[key].toLocaleString("en")}</span>
          </button>
        ))}
      </div>
      {counts.proposed > 0 && <ByConfidence confidences={plan.confidences} onChoose={choose} />}
      <details class="small">
        <summary>Keys</summary>
        <p>
          Within the list: <kbd>↑</kbd> <kbd>↓</kbd> (or <kbd>j</kbd> <kbd>k</kbd>) go from track to track,{" "}
          <kbd>a</kbd> or space accepts, <kbd>r</kbd> rejects, <kbd>e</kbd> changes the genre, <kbd>p</kbd> plays,{" "}
          <kbd>w</kbd> says why.
        </p>
      </details>
      <datalist id="genres-to-pick">
        {plan.genres.map((genre) => <option key={genre} value={genre} />)}
      </datalist>
      <div class="albums" onKeyDown={onListKey}>
        {albums.map((album) => (
          <Album
            key={album.album_id}
            album={album}
            libraryId={plan.library_id}
            onChoose={choose}
            onChange={change}
          />
        ))}
        {albums.length === 0 && !failure && <p class="soft">Nothing here.</p>}
      </div>
      {albums.length < nAlbums && (
        <button type="button" onClick={() => load(albums.length, PAGE).catch(report)}>
          Show more ({albums.length} of {nAlbums} albums)
        </button>
      )}
      <div class="apply row spread">
        <span role="status">
          <strong>{count(nToWrite, "track")} accepted</strong>
          {counts.rejected > 0 && `, ${counts.rejected} rejected`}
          {counts.written > 0 && `, ${counts.written} written`}
        </span>
        {mayWrite ? (
          <button type="button" class="primary" disabled={!nToWrite || isBusy} onClick={() => setAsking(true)}>
            Write {count(nToWrite, "genre")}…
          </button>
        ) : (
          <span class="soft small">Read-only: start the server with <code>--allow-write</code> to write.</span>
        )}
      </div>
      {isAsking && (
        <Confirm
          n={nToWrite}
          onClose={() => setAsking(false)}
          onYes={(keepMtime) => {
            setAsking(false);
            onApply(keepMtime);
          }}
        />
      )}
    </section>
  );
}

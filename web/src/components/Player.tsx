// A track along its time: waveform, spectrogram, the slices that were heard, each in the colour of
// its own vote, and a cursor that runs over all of it.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type WaveSurfer from "wavesurfer.js";
import { address, explain, getJson } from "../api";
import { colourOf } from "../colours";
import { clock, percent } from "../text";
import { isDark } from "../theme";
import type { Media, Overview, SliceVote } from "../types";
import { Icon } from "./icons";
import "./player.css";

interface Props {
  name: string;
  media: Media;
  slices: readonly SliceVote[];
}

const TICKS = 5;
/** Only one track plays at a time. */
let playing: WaveSurfer | null = null;

/** The file itself where the browser plays its kind, else the same sound as Ogg Opus. */
function playable(media: Media): string {
  const canPlay = document.createElement("audio").canPlayType(media.audio_type);
  return address(canPlay ? media.audio_url : media.preview_url);
}

export function Player({ name, media, slices }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const player = useRef<WaveSurfer | null>(null);
  const [overview, setOverview] = useState<Overview | null>(null);
  const [failure, setFailure] = useState("");
  const [isReady, setReady] = useState(false);
  const [isPlaying, setPlaying] = useState(false);
  const [now, setNow] = useState(0);
  const scrubber = useId();
  const { overview_url } = media;

  useEffect(() => {
    let gone = false;
    setOverview(null);
    setFailure("");
    getJson<Overview>(overview_url).then(
      (found) => !gone && setOverview(found),
      (error: unknown) => !gone && setFailure(explain(error)),
    );
    return () => {
      gone = true;
    };
  }, [overview_url]);

  useEffect(() => {
    if (!overview) return;
    let gone = false;
    setReady(false);
    void import("./waveform").then(({ createWave }) => {
      if (gone || !place.current) return;
      const ws = createWave(place.current);
      player.current = ws;
      ws.on("ready", () => setReady(true));
      ws.on("timeupdate", setNow);
      ws.on("play", () => {
        if (playing && playing !== ws) playing.pause();
        playing = ws;
        setPlaying(true);
      });
      ws.on("pause", () => setPlaying(false));
      ws.on("finish", () => setPlaying(false));
      let tried = playable(media);
      const load = () => ws.load(tried, [overview.peaks], overview.duration_s).catch(() => undefined);
      ws.on("error", () => {
        const preview = address(media.preview_url);
        if (tried === preview) return setFailure("The track cannot be played here any more.");
        tried = preview; // the browser had thought that it can play this kind of file
        void load();
      });
      void load();
    });
    return () => {
      gone = true;
      if (playing === player.current) playing = null;
      player.current?.destroy();
      player.current = null;
    };
  }, [overview, isDark.value]);

  const total = overview?.duration_s ?? 0.1;
  const seek = (seconds: number) => player.current?.setTime(Math.min(Math.max(0, seconds), total));
  const share = (seconds: number) => `${(100 * Math.min(seconds, total)) / total}%`;

  return (
    <div class="player">
      <div class="row">
        <button
          type="button"
          class="icon primary"
          disabled={!isReady}
          aria-label={isPlaying ? `Pause ${name}` : `Play ${name}`}
          onClick={() => void player.current?.playPause()}
        >
          <Icon name={isPlaying ? "pause" : "play"} />
        </button>
        <span class="number clock">{clock(now)} / {clock(overview?.duration_s ?? 0)}</span>
        <label class="hidden-text" for={scrubber}>Position in {name}</label>
        <input
          id={scrubber}
          class="scrubber"
          type="range"
          min={0}
          max={total}
          step={0.1}
          value={now}
          disabled={!isReady}
          aria-valuetext={`${clock(now)} of ${clock(total)}`}
          onInput={(event) => seek(Number(event.currentTarget.value))}
        />
      </div>
      {failure && <p class="note warn small" role="status">{failure}</p>}
      <div class={isReady ? "lanes ready" : "lanes"}>
        <div class="wave" ref={place} />
        <div
          class="spectrogram"
          onClick={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            seek(((event.clientX - box.left) / box.width) * total);
          }}
        >
          {overview && <img src={address(overview.spectrogram_url)} alt={`Spectrogram of ${name}`} />}
          {overview && slices.map((slice, i) => {
            const end = slice.start_s + slice.length_s;
            const words =
              `${clock(slice.start_s)} to ${clock(end)}: ${slice.genre}, ${percent(slice.p)}`;
            return (
              <button
                type="button"
                key={i}
                class={`slice${now >= slice.start_s && now < end ? " now" : ""}`}
                style={{
                  left: share(slice.start_s),
                  width: share(slice.length_s),
                  "--vote": colourOf(slice.genre),
                }}
                title={words}
                aria-label={`Hear ${words}`}
                disabled={!isReady}
                onClick={(event) => {
                  event.stopPropagation();
                  void player.current?.play(slice.start_s, end);
                }}
              />
            );
          })}
          <div class="cursor" style={{ left: share(now) }} />
        </div>
        <div class="ticks small soft number" aria-hidden="true">
          {overview && Array.from({ length: TICKS }, (_, i) => (
            <span key={i}>{clock((total * i) / (TICKS - 1))}</span>
          ))}
        </div>
      </div>
      {overview?.truncated && (
        <p class="small soft">The track is long: only its first {clock(total)} are shown.</p>
      )}
      {slices.length > 0 && <Votes slices={slices} />}
    </div>
  );
}

/** The legend of the slices' colours, with how many slices chose each genre. */
function Votes({ slices }: { slices: readonly SliceVote[] }) {
  const votes = new Map<string, number>();
  for (const { genre } of slices) votes.set(genre, (votes.get(genre) ?? 0) + 1);
  const ranked = [...votes].sort((a, b) => b[1] - a[1]);
  return (
    <ul class="votes" aria-label={`First choices of the ${slices.length} slices`}>
      {ranked.map(([genre, n]) => (
        <li class="chip" key={genre}>
          <span class="dot" style={{ background: colourOf(genre) }} />
          {genre}: {n} of {slices.length} slices
        </li>
      ))}
    </ul>
  );
}

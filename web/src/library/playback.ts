// One track of the review at a time, through one element.
import { signal } from "@preact/signals";
import { address } from "../api";
import { say } from "../store";
import type { Media } from "../types";

const playing = signal<string | null>(null);
let audio: HTMLAudioElement | null = null;
/** What is playing as it is in the file; null once the preview is tried instead. */
let unconverted: Media | null = null;

function element(): HTMLAudioElement {
  if (audio) return audio;
  const made = new Audio();
  made.addEventListener("ended", () => (playing.value = null));
  made.addEventListener("pause", () => (playing.value = null));
  made.addEventListener("error", () => {
    if (unconverted) {
      start(made, unconverted.preview_url);
      unconverted = null;
      return;
    }
    playing.value = null;
    say("The track cannot be played.", true);
  });
  audio = made;
  return made;
}

function start(player: HTMLAudioElement, url: string): void {
  player.src = address(url);
  player.play().catch(() => undefined); // the element's own error event tells what matters
}

export function isPlaying(media: Media): boolean {
  return playing.value === media.audio_url;
}

export function toggle(media: Media): void {
  const player = element();
  if (isPlaying(media)) return player.pause();
  const isKnown = player.canPlayType(media.audio_type) !== "";
  unconverted = isKnown ? media : null;
  start(player, isKnown ? media.audio_url : media.preview_url);
  playing.value = media.audio_url;
}

export function silence(): void {
  audio?.pause();
}

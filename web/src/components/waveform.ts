// wavesurfer.js, made to live under the page's content security policy; loaded when first needed.
import WaveSurfer from "wavesurfer.js";
import { themeColour } from "../colours";
import rules from "./waveform.css?inline";

const sheet = new CSSStyleSheet();
sheet.replaceSync(rules);

/** A player that draws the given peaks; it never fetches or decodes the sound to draw it. */
export function createWave(place: HTMLElement): WaveSurfer {
  const player = WaveSurfer.create({
    container: place,
    height: 56,
    waveColor: themeColour("line-strong"),
    progressColor: themeColour("accent"),
    cursorColor: themeColour("text"),
    cursorWidth: 2,
    barWidth: 2,
    barGap: 1,
    normalize: true,
    hideScrollbar: true,
  });
  const root = player.getWrapper().getRootNode();
  if (root instanceof ShadowRoot) root.adoptedStyleSheets = [sheet];
  return player;
}

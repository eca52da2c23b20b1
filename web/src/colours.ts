// Colours of genres, and those of the theme for what is drawn on a canvas.
// Okabe & Ito's palette, which colour-blind people can tell apart; a name stands beside every colour.

const PALETTE = [
  "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7b61c4",
  "#8c564b", "#3f7f3f", "#999999", "#00a3a3",
];
const given = new Map<string, string>();

/** The same genre has the same colour everywhere; beyond twelve, colours are shared. */
export function colourOf(genre: string): string {
  let colour = given.get(genre);
  if (!colour) {
    colour = PALETTE[given.size % PALETTE.length] as string;
    given.set(genre, colour);
  }
  return colour;
}

export type Role = "text" | "text-soft" | "line" | "accent" | "panel" | "raised" | "line-strong";

export function themeColour(role: Role): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();
}

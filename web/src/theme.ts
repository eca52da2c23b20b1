// Light, dark, or as the system wishes.
import { signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const KEY = "earmark-theme";
const NEXT: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto"; // storage is forbidden: the switch then lasts as long as the page
  }
}

export const theme = signal<Theme>(stored());
/** Whether the page is dark now; drawings on canvases follow it. */
export const isDark = signal(false);

function show(): void {
  const chosen = theme.value;
  isDark.value = chosen === "dark" || (chosen === "auto" && systemDark.matches);
  if (chosen === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

export function switchTheme(): void {
  theme.value = NEXT[theme.value];
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // as in `stored`
  }
  show();
}

systemDark.addEventListener("change", show);
show();

// How numbers, times and names are written.
import type { Counts, GenreShare } from "./types";

export function percent(share: number, digits = 0): string {
  return `${(100 * share).toFixed(digits)}%`;
}

export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${m.toString().padStart(h ? 2 : 1, "0")}:${s.toString().padStart(2, "0")}`;
  return h ? `${h}:${tail}` : tail;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** How many artists tracks are by; models made by an earlier version count unknown ones too. */
export function artists({ n_artists, n_groups }: Counts): number {
  return n_artists ?? n_groups ?? 0;
}

/** Genres by how likely they are. */
export function ranked(proba: Readonly<Record<string, number>>): GenreShare[] {
  return Object.entries(proba).map(([genre, p]) => ({ genre, p })).sort((a, b) => b.p - a.p);
}

export function bytes(n: number): string {
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))} kB`;
  return n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}

export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

// As `earmark.spreadsheets` has it: what begins like a formula, alone or behind a separator.
const BLANKS = String.raw`[\s"\x00-\x1f\x7f-\xa0\u200b-\u200f\u2060\ufeff]*`;
const FORMULA = String.raw`[-=+@\uff0d\uff1d\uff0b\uff20\ufe63\ufe66\ufe62\ufe6b]`;
const START = new RegExp(`^(?:['\\t\\r\\n]|${BLANKS}${FORMULA})`);
const WITHIN = new RegExp(`([,;\\t\\r\\n]${BLANKS})('*)(?=${FORMULA})`, "g");

/** A text as no spreadsheet takes it for a formula, nor a part of it. */
export function guarded(text: string): string {
  const inner = text.replace(WITHIN, "$1'$2");
  return START.test(text) ? `'${inner}` : inner;
}

/** A CSV of RFC 4180 without formulas. */
export function csv(rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null): string => {
    if (typeof value === "number") return String(value);
    const text = guarded(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

export function download(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

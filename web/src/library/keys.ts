// Keys within the list of a plan. They work only where the focus is in the list, so that they are in
// nobody's way.

const CLICKS: Record<string, string> = { a: ".accept", r: ".reject", e: ".edit", p: ".play", w: ".why" };
const STEPS: Record<string, 1 | -1> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

export function onListKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  const isTyping = target instanceof HTMLInputElement && target.type === "text";
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || target.closest("dialog")) return;
  const list = event.currentTarget as HTMLElement;
  const row = target.closest<HTMLElement>("li.track");
  const step = STEPS[event.key];
  if (step) {
    const rows = [...list.querySelectorAll<HTMLElement>("li.track")];
    const next = rows[row ? rows.indexOf(row) + step : 0];
    next?.querySelector<HTMLElement>(".accept:enabled, .play")?.focus();
    next?.scrollIntoView({ block: "nearest" });
    event.preventDefault();
    return;
  }
  const button = row?.querySelector<HTMLButtonElement>(CLICKS[event.key] ?? "no-such-key");
  if (button && !button.disabled) {
    button.click();
    event.preventDefault();
  }
}

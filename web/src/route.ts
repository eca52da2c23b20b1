// Which view is shown: the part of the address behind the "#", such as #/library/music/plan/3.
import { signal } from "@preact/signals";

function parts(): string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
}

export const route = signal<string[]>(parts());

export function go(...to: (string | number)[]): void {
  location.hash = `/${to.map((part) => encodeURIComponent(part)).join("/")}`;
}

addEventListener("hashchange", () => {
  route.value = parts();
});

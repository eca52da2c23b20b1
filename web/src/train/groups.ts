// Genres, and the super-genres that they are merged into.
import type { GenreCount } from "../types";

export interface Group {
  /** Of what is learned; at first the genre's own. */
  name: string;
  members: GenreCount[];
  isUsed: boolean;
}

export function groupsOf(genres: readonly GenreCount[]): Group[] {
  return genres.map((counted) => ({ name: counted.genre, members: [counted], isUsed: true }));
}

export function size(group: Group): number {
  return group.members.reduce((sum, { n }) => sum + n, 0);
}

export function keyOf(group: Group): string {
  return group.members[0]?.genre ?? "";
}

/** Put the group `from` into `into`, which keeps its name and place. */
export function merge(groups: readonly Group[], from: string, into: string): Group[] {
  const moved = groups.find((group) => keyOf(group) === from);
  if (!moved || from === into) return [...groups];
  return groups
    .filter((group) => group !== moved)
    .map((group) => (keyOf(group) === into
      ? { ...group, members: [...group.members, ...moved.members], isUsed: true }
      : group));
}

/** Take one genre out of its group again. */
export function split(groups: readonly Group[], genre: string): Group[] {
  return groups.flatMap((group) => {
    const left = group.members.filter((member) => member.genre !== genre);
    const out = group.members.filter((member) => member.genre === genre);
    if (!out.length || !left.length) return [group];
    const [first] = left;
    const isNamedAfter = group.name === genre;
    const name = left.length === 1 || isNamedAfter ? (first as GenreCount).genre : group.name;
    return [{ ...group, name, members: left }, ...groupsOf(out)];
  });
}

export interface Learning { merges: Record<string, string>; only: string[] }

/** What the server is asked for: merges, and if not all is used, what is. */
export function learning(groups: readonly Group[]): Learning {
  const used = groups.filter((group) => group.isUsed);
  const merges = used.flatMap((group) =>
    group.members.filter(({ genre }) => genre !== group.name).map(({ genre }) => [genre, group.name]));
  return {
    merges: Object.fromEntries(merges),
    only: used.length === groups.length ? [] : used.map(({ name }) => name),
  };
}

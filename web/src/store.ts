// What all views share.
import { signal } from "@preact/signals";
import { get } from "./api";
import type { Info, Library, ModelSummary, RecipeSummary } from "./types";

export const info = signal<Info | null>(null);
export const models = signal<ModelSummary[]>([]);
export const recipes = signal<RecipeSummary[]>([]);
export const libraries = signal<Library[]>([]);

/** Said by a screen reader, and shown for a while. */
export const said = signal<{ text: string; isBad: boolean } | null>(null);
let fading: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, isBad = false): void {
  said.value = { text, isBad };
  clearTimeout(fading);
  fading = setTimeout(() => (said.value = null), isBad ? 15_000 : 6_000);
}

export async function loadModels(): Promise<void> {
  models.value = (await get<{ models: ModelSummary[] }>("models")).models;
}

export async function loadLibraries(): Promise<void> {
  libraries.value = (await get<{ libraries: Library[] }>("libraries")).libraries;
}

async function loadRecipes(): Promise<void> {
  recipes.value = (await get<{ recipes: RecipeSummary[] }>("recipes")).recipes;
}

export async function loadAll(): Promise<void> {
  [info.value] = await Promise.all([get<Info>("info"), loadModels(), loadRecipes(), loadLibraries()]);
}

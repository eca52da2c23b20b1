// Files on their way to the server and what it heard. Kept outside the view, so that a look at
// another view loses nothing.
import { signal } from "@preact/signals";
import { explain, fileFault, Refused, remove, upload } from "./api";
import { info } from "./store";
import { bytes } from "./text";
import type { AnsweringModel, Classified, TrackAnswer } from "./types";

export type EntryState = "waiting" | "sending" | "listening" | "done" | "failed";

export interface Entry {
  id: number;
  name: string;
  file: File;
  state: EntryState;
  /** Share of the file that has gone to the server. */
  sent: number;
  track: TrackAnswer | null;
  model: AnsweringModel | null;
  error: string;
}

const AT_ONCE = 3;
const BUSY_TRIES = 20;
const MOST_WAIT_S = 30;

export const entries = signal<Entry[]>([]);
export const selected = signal<number | null>(null);
/** Which model is to answer; null: the one in use. */
export const chosenModel = signal<string | null>(null);

let nextId = 1;
const underWay = new Map<number, () => void>();

function change(id: number, values: Partial<Entry>): void {
  entries.value = entries.value.map((entry) => (entry.id === id ? { ...entry, ...values } : entry));
}

function has(id: number): boolean {
  return entries.value.some((entry) => entry.id === id);
}

export function isWorking(entry: Entry): boolean {
  return entry.state !== "done" && entry.state !== "failed";
}

export function add(files: readonly File[]): void {
  const limit = info.value?.limits.max_upload_bytes ?? Infinity;
  const fresh = files.map((file): Entry => {
    const isTooLarge = file.size > limit;
    const error = isTooLarge
      ? `The file has ${bytes(file.size)}; this server takes up to ${bytes(limit)}.`
      : file.size === 0 ? "The file is empty." : "";
    return {
      id: nextId++, name: file.name, file, state: error ? "failed" : "waiting", sent: 0, track: null,
      model: null, error,
    };
  });
  entries.value = [...entries.value, ...fresh];
  if (selected.value === null && fresh[0]) selected.value = fresh[0].id;
  for (let i = underWay.size; i < AT_ONCE; i++) void next();
}

async function next(): Promise<void> {
  const entry = entries.value.find((known) => known.state === "waiting" && !underWay.has(known.id));
  if (!entry || underWay.size >= AT_ONCE) return;
  underWay.set(entry.id, () => undefined);
  try {
    const { model, results } = await send(entry);
    const track = results[0] as TrackAnswer;
    const why = fileFault(track);
    if (has(entry.id)) change(entry.id, { state: why ? "failed" : "done", track, model, error: why });
    else drop(track);
  } catch (error) {
    change(entry.id, { state: "failed", error: explain(error) });
  } finally {
    underWay.delete(entry.id);
    void next();
  }
}

/** A server that is busy says when to come back. */
async function send(entry: Entry): Promise<Classified> {
  const model = chosenModel.value ? `&model_id=${chosenModel.value}` : "";
  for (let tried = 1; ; tried++) {
    const form = new FormData();
    form.append("files", entry.file, entry.name);
    change(entry.id, { state: "sending", sent: 0 });
    const { answer, abort } = upload<Classified>(
      `classify?keep=true${model}`,
      form,
      (status) => status === 200 || status === 422,
      (sent) => change(entry.id, { sent, state: sent < 1 ? "sending" : "listening" }),
    );
    underWay.set(entry.id, abort);
    try {
      return await answer;
    } catch (error) {
      const isBusy = error instanceof Refused && error.status === 503 && tried < BUSY_TRIES;
      if (!isBusy || !has(entry.id)) throw error;
      const wait = Math.min((error as { retryAfterS?: number }).retryAfterS ?? 1, MOST_WAIT_S);
      change(entry.id, { state: "waiting", sent: 0 });
      await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    }
  }
}

/** The server removes what it keeps after a while; nobody needs to wait for that, or hear of it. */
function drop(track: TrackAnswer | null): void {
  const upload_id = track?.media?.upload_id;
  if (upload_id) remove(`uploads/${upload_id}`).catch(() => undefined);
}

export function forget(id: number): void {
  const entry = entries.value.find((known) => known.id === id);
  entries.value = entries.value.filter((known) => known.id !== id);
  if (selected.value === id) selected.value = entries.value[0]?.id ?? null;
  underWay.get(id)?.();
  drop(entry?.track ?? null);
}

export function forgetAll(): void {
  for (const { id } of entries.value) forget(id);
}

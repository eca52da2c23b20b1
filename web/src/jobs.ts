// Long work on the server, watched through server-sent events. The page may be closed: the job goes
// on, and a page that is opened again finds it by `GET jobs`.
import { useEffect, useState } from "preact/hooks";
import { explain, get, post } from "./api";
import type { Epoch, Job, JobKind, JobProgress, Skipped } from "./types";

export interface Watched {
  job: Job | null;
  progress: JobProgress | null;
  skipped: Skipped[];
  notes: string[];
  epochs: Epoch[];
  error: string | null;
}

const NOTHING: Watched = { job: null, progress: null, skipped: [], notes: [], epochs: [], error: null };

export function isOver(job: Job | null): boolean {
  return job !== null && job.finished_at !== null;
}

/** Follow a job to its end. Each event comes once, however often the connection is taken up anew. */
export function useJob(jobId: number | null): Watched {
  const [watched, setWatched] = useState<Watched & { of: number | null }>({ ...NOTHING, of: null });
  useEffect(() => {
    if (jobId === null) return;
    const add = (change: (old: Watched) => Partial<Watched>) =>
      setWatched((old) => ({ ...old, ...change(old), of: jobId }));
    setWatched({ ...NOTHING, of: jobId });
    const source = new EventSource(`api/v1/jobs/${jobId}/events`);
    // The state comes first on each connection, then what has been missed, then the state again.
    let isFirst = true;
    let isEnding = false;
    const on = <T>(name: string, change: (old: Watched, data: T) => Partial<Watched>) =>
      source.addEventListener(name, (event) =>
        add((old) => change(old, JSON.parse((event as MessageEvent<string>).data) as T)));
    on<Job>("job", (_, job) => {
      isEnding = isOver(job);
      if (isEnding && !isFirst) source.close();
      isFirst = false;
      return { job, progress: job.progress, error: null };
    });
    on<JobProgress>("progress", (_, progress) => ({ progress }));
    on<Skipped>("skipped", (old, skipped) => ({ skipped: [...old.skipped, skipped] }));
    on<{ text: string }>("note", (old, { text }) => ({ notes: [...old.notes, text] }));
    on<Epoch>("epoch", (old, epoch) => ({
      epochs: [...old.epochs.filter((known) => known.epoch < epoch.epoch), epoch],
    }));
    source.onerror = () => {
      isFirst = true;
      if (isEnding) return source.close();
      const isLost = source.readyState === EventSource.CLOSED;
      add(() => ({
        error: isLost ? "The server no longer tells of this job." : "Connection lost, trying again…",
      }));
    };
    return () => source.close();
  }, [jobId]);
  return watched.of === jobId ? watched : NOTHING;
}

/** The latest job of these kinds in a library, to be found again by a page that was closed. */
export async function latestJob(libraryId: string, kinds: readonly JobKind[]): Promise<Job | null> {
  const { jobs } = await get<{ jobs: Job[] }>(`jobs?library_id=${libraryId}&limit=50`);
  return jobs.find((job) => kinds.includes(job.kind)) ?? null;
}

export async function cancel(jobId: number): Promise<string | null> {
  try {
    await post(`jobs/${jobId}/cancel`);
    return null;
  } catch (error) {
    return explain(error);
  }
}

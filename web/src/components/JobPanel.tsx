// How far long work is. The page may be closed meanwhile.
import { useState } from "preact/hooks";
import { cancel, isOver, type Watched } from "../jobs";
import { say } from "../store";
import { count } from "../text";
import type { Job, JobProgress } from "../types";

const STATES: Record<Job["state"], string> = {
  queued: "waiting for other work to finish",
  running: "under way",
  cancelling: "stopping",
  done: "done",
  failed: "failed",
  cancelled: "stopped",
};
const MOST_LISTED = 200;

export function JobPanel({ watched }: { watched: Watched }) {
  const { job, progress, skipped, notes, error } = watched;
  const [asked, setAsked] = useState(false);
  if (!job) return null;
  const stop = async () => {
    setAsked(true);
    const why = await cancel(job.job_id);
    if (why) say(why, true);
  };
  return (
    <section class="panel job" aria-label={job.title} data-state={job.state}>
      <div class="row spread">
        <h2>{job.title}</h2>
        <span class="chip">{STATES[job.state]}</span>
      </div>
      {!isOver(job) && (
        <>
          <Progress progress={progress} />
          <div class="row spread">
            <p class="small soft">You may close this page: the work goes on, and is found here again.</p>
            <button type="button" disabled={asked} onClick={stop}>Stop</button>
          </div>
        </>
      )}
      {error && !isOver(job) && <p class="note warn" role="status">{error}</p>}
      {job.error && <p class="note bad" role="alert">{job.error}</p>}
      {notes.length > 0 && (
        <ul class="small">{notes.map((note, i) => <li key={i}>{note}</li>)}</ul>
      )}
      {skipped.length > 0 && (
        <details>
          <summary>{count(skipped.length, "file")} left out</summary>
          <ul class="small">
            {skipped.slice(0, MOST_LISTED).map(({ path, reason }) => (
              <li key={path}>{path}: {reason}</li>
            ))}
            {skipped.length > MOST_LISTED && <li>and {skipped.length - MOST_LISTED} more</li>}
          </ul>
        </details>
      )}
    </section>
  );
}

function Progress({ progress }: { progress: JobProgress | null }) {
  if (!progress) return <progress aria-label="Progress" />;
  const { stage, done, total, label } = progress;
  const isKnown = total !== null && total > 0;
  return (
    <label class="stack">
      <span>
        {stage.slice(0, 1).toUpperCase() + stage.slice(1)}: {done.toLocaleString("en")}
        {isKnown && ` of ${total.toLocaleString("en")}`}
      </span>
      <progress {...(isKnown ? { value: done, max: total } : {})} />
      <span class="small soft one-line">{label}</span>
    </label>
  );
}

// A library: look through it, review what is proposed, write it, take it back.
import { useEffect, useState } from "preact/hooks";
import { explain, get, post } from "../api";
import { JobPanel } from "../components/JobPanel";
import { LibraryChoice, NoLibrary } from "../components/LibraryChoice";
import { Journal } from "../library/Journal";
import { Review } from "../library/Review";
import { isOver, latestJob, useJob } from "../jobs";
import { go, route } from "../route";
import { info, libraries, loadLibraries, say } from "../store";
import { count } from "../text";
import type { Job, Library as Root, PlanSummary, TagMode, WriteResult } from "../types";

const MODES: Record<TagMode, string> = {
  fill: "Tracks without a genre",
  overwrite: "All tracks: replace their genres",
  append: "All tracks: add to their genres",
};

export function Library() {
  const library = libraries.value.find(({ library_id }) => library_id === route.value[1]) ??
    libraries.value[0];
  if (!library) return <NoLibrary title="Library" />;
  return (
    <>
      <div class="row spread">
        <h1>Library</h1>
        <LibraryChoice chosen={library} onChoice={(id) => go("library", id)} />
      </div>
      {!info.value?.allow_write && (
        <p class="note">
          Nothing can be written here: the server was started without <code>--allow-write</code>. You can
          look through the library and review what would be written. To write, start it again with{" "}
          <code>earmark serve --library DIR --allow-write</code>.
        </p>
      )}
      {library.available
        ? <Open key={library.library_id} library={library} />
        : <p class="note warn">The folder {library.path} is not there, or cannot be read.</p>}
    </>
  );
}

function Open({ library }: { library: Root }) {
  const id = library.library_id;
  const [jobId, setJobId] = useState<number | null>(null);
  const [plans, setPlans] = useState<PlanSummary[]>([]);
  const [mode, setMode] = useState<TagMode>("fill");
  // Empty: what the model itself asks for.
  const [least, setLeast] = useState<number | null>(null);
  const [version, setVersion] = useState(0);
  const watched = useJob(jobId);
  const isBusy = watched.job !== null && !isOver(watched.job);
  const planId = Number(route.value[3]) || (plans[0]?.plan_id ?? null);

  const loadPlans = async () =>
    setPlans((await get<{ plans: PlanSummary[] }>(`plans?library_id=${id}`)).plans);
  useEffect(() => {
    // A page that was closed finds its work again.
    Promise.all([
      latestJob(id, ["scan", "plan", "apply", "undo"]).then((job) => {
        if (job && !isOver(job)) setJobId(job.job_id);
      }),
      loadPlans(),
    ]).catch((error: unknown) => say(explain(error), true));
  }, [id]);

  const state = watched.job?.state;
  useEffect(() => {
    const { job } = watched;
    if (!job || !isOver(job)) return;
    setVersion((old) => old + 1);
    Promise.all([loadLibraries(), loadPlans()]).then(() => {
      if (job.kind === "plan" && job.state === "done") go("library", id, "plan", Number(job.result?.["plan_id"]));
    }, (error: unknown) => say(explain(error), true));
  }, [state]);

  const start = async (request: Promise<Job>) => {
    try {
      setJobId((await request).job_id);
    } catch (error) {
      say(explain(error), true);
    }
  };
  return (
    <>
      <section class="panel" aria-label="Look through the library">
        <p class="soft">{library.path}: {library.n_tracks.toLocaleString("en")} tracks known</p>
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            void start(post<Job>("jobs", {
              kind: "plan", library_id: id, mode, min_confidence: least === null ? null : least / 100,
            }));
          }}
        >
          <label class="field">
            <span>Propose genres for</span>
            <select value={mode} onChange={(event) => setMode(event.currentTarget.value as TagMode)}>
              {Object.entries(MODES).map(([value, label]) => <option key={value} value={value}>{label}</option>)}
            </select>
          </label>
          <label class="field">
            <span>Not known if less sure than, in %</span>
            <input
              type="number"
              min={0}
              max={100}
              placeholder="as the model says"
              onInput={({ currentTarget: field }) =>
                field.validity.valid && setLeast(field.value ? field.valueAsNumber : null)}
            />
          </label>
          <button class="primary align-end" disabled={isBusy}>Scan and listen</button>
          {plans.length > 1 && (
            <label class="field">
              <span>Plan</span>
              <select value={planId ?? ""} onChange={(event) => go("library", id, "plan", event.currentTarget.value)}>
                {plans.map((plan) => (
                  <option key={plan.plan_id} value={plan.plan_id}>
                    {new Date(1000 * plan.created_at).toLocaleString()} ({plan.mode}, {plan.counts.proposed} proposed)
                  </option>
                ))}
              </select>
            </label>
          )}
        </form>
      </section>
      <JobPanel watched={watched} />
      <Written job={watched.job} onUndo={(runId) => start(post<Job>(`journal/runs/${runId}/undo`))} />
      {planId !== null && (
        <Review
          key={planId}
          planId={planId}
          version={version}
          isBusy={isBusy}
          onApply={(keepMtime) => start(post<Job>(`plans/${planId}/apply`, { keep_mtime: keepMtime }))}
        />
      )}
      <Journal
        libraryId={id}
        version={version}
        isBusy={isBusy}
        onUndo={(runId) => start(post<Job>(`journal/runs/${runId}/undo`))}
      />
    </>
  );
}

/** What an apply or undo that has just ended did. */
function Written({ job, onUndo }: { job: Job | null; onUndo: (runId: number) => void }) {
  const result = job?.result;
  if (!job || !result || !isOver(job) || (job.kind !== "apply" && job.kind !== "undo")) return null;
  const { n_written: written, n_already: already, n_skipped: skipped, run_id } =
    result as unknown as WriteResult;
  return (
    <div class="note row spread" role="status">
      <span>
        {count(written, "file")} {job.kind === "apply" ? "written" : "put back"}
        {already ? `, ${already} needed nothing` : ""}
        {skipped ? `, ${skipped} left alone` : ""}.
      </span>
      {job.kind === "apply" && written > 0 && (
        <button type="button" onClick={() => onUndo(run_id)}>Undo</button>
      )}
    </div>
  );
}

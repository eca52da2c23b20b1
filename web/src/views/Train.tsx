// Learn a library's own genres.
import { useEffect, useState } from "preact/hooks";
import { explain, get, post } from "../api";
import { JobPanel } from "../components/JobPanel";
import { LibraryChoice, NoLibrary } from "../components/LibraryChoice";
import { isOver, latestJob, useJob } from "../jobs";
import { go, route } from "../route";
import { libraries, loadLibraries, say } from "../store";
import { LiveCurves, Outcome } from "../train/Course";
import { TrainForm } from "../train/Form";
import type { Job, Library, LibraryDetail } from "../types";

export function Train() {
  const library = libraries.value.find(({ library_id }) => library_id === route.value[1]) ??
    libraries.value[0];
  if (!library) return <NoLibrary title="Train" />;
  return (
    <>
      <div class="row spread">
        <h1>Train</h1>
        <LibraryChoice chosen={library} onChoice={(id) => go("train", id)} />
      </div>
      {library.available
        ? <Open key={library.library_id} library={library} />
        : <p class="note warn">The folder {library.path} is not there, or cannot be read.</p>}
    </>
  );
}

function Open({ library }: { library: Library }) {
  const id = library.library_id;
  const [detail, setDetail] = useState<LibraryDetail | null>(null);
  const [jobId, setJobId] = useState<number | null>(null);
  const watched = useJob(jobId);
  const { job } = watched;
  const isBusy = job !== null && !isOver(job);
  const report = (error: unknown) => say(explain(error), true);
  const load = async () => setDetail(await get<LibraryDetail>(`libraries/${id}`));

  useEffect(() => {
    // A page that was closed finds its training again, and the last one's outcome.
    latestJob(id, ["train", "scan"]).then((found) => {
      if (found && (found.kind === "train" || !isOver(found))) setJobId(found.job_id);
    }).catch(report);
    load().catch(report);
  }, [id]);
  useEffect(() => {
    if (job && job.kind === "scan" && isOver(job)) Promise.all([load(), loadLibraries()]).catch(report);
  }, [job?.state]);

  const scan = async () => {
    try {
      setJobId((await post<Job>("jobs", { kind: "scan", library_id: id })).job_id);
    } catch (error) {
      report(error);
    }
  };
  return (
    <>
      <p class="soft">
        A model of your own knows your genres, by the tags that you trust. It is measured on artists that it
        has not learned from, so its score is what to expect of new music.
      </p>
      {detail && detail.genres.length === 0 && (
        <div class="panel">
          <p>{detail.n_tracks ? "No track here has a genre to learn from." : "This folder has not been looked through yet."}</p>
          <div><button type="button" class="primary" disabled={isBusy} onClick={scan}>Scan</button></div>
        </div>
      )}
      {detail && detail.genres.length > 0 && (
        <TrainForm library={detail} isBusy={isBusy} onStarted={(started) => setJobId(started.job_id)} />
      )}
      <JobPanel watched={watched} />
      <LiveCurves epochs={watched.epochs} />
      {job?.kind === "train" && job.state === "done" && job.result && <Outcome key={job.job_id} job={job} />}
    </>
  );
}

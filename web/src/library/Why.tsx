// Why a track of the library has been given its genre: the same answer as a song dropped in gets.
import { useEffect, useState } from "preact/hooks";
import { explain, fileFault, post } from "../api";
import { Dialog } from "../components/Dialog";
import { Answer } from "../components/Result";
import type { Classified } from "../types";
import { silence } from "./playback";

interface Props { libraryId: string; path: string; name: string; onClose: () => void }

export function Why({ libraryId, path, name, onClose }: Props) {
  const [answer, setAnswer] = useState<Classified | null>(null);
  const [why, setWhy] = useState("");
  useEffect(() => {
    silence();
    post<Classified>(`libraries/${libraryId}/classify`, { paths: [path] })
      .then(setAnswer, (error: unknown) => setWhy(explain(error)));
  }, [libraryId, path]);
  const track = answer?.results[0];
  return (
    <Dialog title={name} onClose={onClose}>
      {why && <p class="note bad" role="alert">{why}</p>}
      {!track && !why && <p class="soft" role="status">Listening…</p>}
      {track?.result.error && <p class="note bad">{fileFault(track)}</p>}
      {answer && track && !track.result.error && <Answer name={name} track={track} model={answer.model} />}
    </Dialog>
  );
}

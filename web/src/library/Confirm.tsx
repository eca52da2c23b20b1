// The last question before files are written.
import { useState } from "preact/hooks";
import { Dialog } from "../components/Dialog";
import { count } from "../text";

interface Props { n: number; onYes: (keepMtime: boolean) => void; onClose: () => void }

export function Confirm({ n, onYes, onClose }: Props) {
  const [keepMtime, setKeepMtime] = useState(false);
  return (
    <Dialog title={`Write genres into ${count(n, "file")}?`} onClose={onClose}>
      <p>
        Only the genre is written. Each file is replaced in one step, after it has been made sure that
        its sound and its other tags are what they were. It can be undone, file by file exactly, from
        here or by <code>earmark undo</code>.
      </p>
      <label class="check">
        <input type="checkbox" checked={keepMtime} onChange={(event) => setKeepMtime(event.currentTarget.checked)} />
        Keep the files’ modification times
      </label>
      <div class="row">
        <button type="button" class="primary" autofocus onClick={() => onYes(keepMtime)}>Write</button>
        <button type="button" onClick={onClose}>Not now</button>
      </div>
    </Dialog>
  );
}

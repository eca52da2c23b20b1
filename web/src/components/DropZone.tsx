// Where files are dropped or picked, and where the microphone is.
import { useRef, useState } from "preact/hooks";
import { info } from "../store";
import { Icon } from "./icons";
import { Recorder } from "./Recorder";
import "./dropzone.css";

const MOST_FROM_FOLDERS = 2000;

export function DropZone({ onFiles }: { onFiles: (files: File[]) => void }) {
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const formats = info.value?.formats ?? [];
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer) onFiles(await dropped(event.dataTransfer, formats));
  };
  return (
    <div
      class={isOver ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Icon name="upload" />
      <p>Drop songs or folders here</p>
      <div class="row">
        <button type="button" class="primary" onClick={() => input.current?.click()}>Choose files…</button>
        <Recorder onRecorded={(file) => onFiles([file])} />
      </div>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        accept={["audio/*", ...formats].join(",")}
        aria-label="Music files"
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
    </div>
  );
}

/** Files as dropped; of folders, only what is music by its name. */
async function dropped(data: DataTransfer, formats: readonly string[]): Promise<File[]> {
  const roots = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (!roots.some((entry) => entry.isDirectory)) return [...data.files];
  const found: File[] = [];
  for (const root of roots) {
    if (root.isFile) found.push(await fileOf(root as FileSystemFileEntry));
    else await collect(root as FileSystemDirectoryEntry, formats, found);
  }
  return found;
}

async function collect(folder: FileSystemDirectoryEntry, formats: readonly string[], found: File[]) {
  const reader = folder.createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject));
    if (!batch.length) return;
    for (const entry of batch) {
      if (found.length >= MOST_FROM_FOLDERS) return;
      const name = entry.name.toLowerCase();
      if (entry.isDirectory) await collect(entry as FileSystemDirectoryEntry, formats, found);
      else if (formats.some((ending) => name.endsWith(ending))) {
        found.push(await fileOf(entry as FileSystemFileEntry));
      }
    }
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

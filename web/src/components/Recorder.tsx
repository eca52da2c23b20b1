// Records from the microphone until stopped; the recording is listened to like any other file.
import { useEffect, useRef, useState } from "preact/hooks";
import { say } from "../store";
import { clock } from "../text";
import { Icon } from "./icons";

const LONGEST_S = 120;
const TYPES = { "audio/webm;codecs=opus": "webm", "audio/ogg;codecs=opus": "ogg", "audio/mp4": "m4a" };

function reason(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The browser was not allowed to use the microphone.";
  if (name === "NotFoundError") return "No microphone was found.";
  return "The microphone cannot be used.";
}

export function Recorder({ onRecorded }: { onRecorded: (file: File) => void }) {
  const recorder = useRef<MediaRecorder | null>(null);
  const [seconds, setSeconds] = useState<number | null>(null);
  const isRecording = seconds !== null;
  const stop = () => recorder.current?.state === "recording" && recorder.current.stop();

  useEffect(() => {
    if (!isRecording) return;
    const started = Date.now();
    const timer = setInterval(() => {
      const passed = (Date.now() - started) / 1000;
      setSeconds(passed);
      if (passed >= LONGEST_S) stop();
    }, 250);
    return () => clearInterval(timer);
  }, [isRecording]);
  useEffect(() => () => void stop(), []);

  const record = async () => {
    const found = Object.entries(TYPES).find(([type]) => MediaRecorder.isTypeSupported(type));
    try {
      // As it sounds: what makes speech clearer spoils music.
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      const parts: Blob[] = [];
      const made = new MediaRecorder(stream, found ? { mimeType: found[0] } : {});
      made.ondataavailable = (event) => parts.push(event.data);
      made.onstop = () => {
        stream.getTracks().forEach((track) => track.stop());
        setSeconds(null);
        const at = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
        const type = made.mimeType;
        onRecorded(new File(parts, `Recording ${at}.${found?.[1] ?? "webm"}`, { type }));
      };
      recorder.current = made;
      made.start();
      setSeconds(0);
    } catch (error) {
      say(reason(error), true);
    }
  };

  // Browsers give the microphone to pages from this machine or over HTTPS alone.
  const isOffered = window.isSecureContext && "mediaDevices" in navigator && "MediaRecorder" in window;
  if (!isOffered) return null;
  return isRecording ? (
    <button type="button" onClick={stop} aria-label="Stop recording and listen">
      <Icon name="stop" /> Stop <span class="number">{clock(seconds)}</span>
    </button>
  ) : (
    <button type="button" onClick={record}><Icon name="mic" /> Record</button>
  );
}

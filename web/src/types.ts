// What the server sends, as described in src/earmark/web/schemas.

export interface Fault { code: string; message: string; hint: string }

export interface Limits {
  max_files: number;
  max_upload_bytes: number;
  max_request_bytes: number;
  max_duration_s: number;
  max_overview_s: number;
  kept_s: number;
}

export interface Info {
  version: string;
  allow_write: boolean;
  limits: Limits;
  formats: string[];
  n_workers: number;
}

export interface Health { status: string; version: string; token_required: boolean; signed_in: boolean }

export interface GenreShare { genre: string; p: number }
export interface GenreCount { genre: string; n: number }

export interface SliceVote extends GenreShare { start_s: number; length_s: number; proba: GenreShare[] }

export interface Media {
  audio_url: string;
  audio_type: string;
  preview_url: string;
  overview_url: string;
  spectrogram_url: string;
  expires_at: number | null;
  upload_id: string | null;
}

/** What `earmark classify --json` says of a track too. */
export interface TrackResult {
  path: string;
  genre: string | null;
  confidence: number | null;
  agreement: number | null;
  proba: Record<string, number>;
  slices: number;
  rejected: string | null;
  error: string | null;
}

export interface TrackAnswer {
  result: TrackResult;
  hint: string;
  file_id: string | null;
  mixture: GenreShare[];
  slices: SliceVote[];
  duration_s: number | null;
  media: Media | null;
}

export interface AnsweringModel { model_id: string; name: string; labels: string[] }
export interface Classified { model: AnsweringModel; results: TrackAnswer[] }

export interface Overview {
  duration_s: number;
  truncated: boolean;
  column_s: number;
  peaks: number[];
  n_bins: number;
  bins_hz: number[];
  spectrogram_url: string;
}

export type ModelSource = "shipped" | "given" | "trained";

export interface ModelSummary {
  model_id: string;
  name: string;
  labels: string[];
  created: string;
  licence: string;
  source: ModelSource;
  in_use: boolean;
  accuracy: number | null;
  accuracy_interval_95: (number | null)[] | null;
}

export interface ModelCard extends ModelSummary {
  data: Record<string, unknown>;
  scores: Record<string, unknown>;
  training: Record<string, unknown>;
  confusion: number[][] | null;
}

export interface RecipeSummary {
  name: string;
  kind: string;
  description: string;
  takes: string;
  default: boolean;
  epochs: number | null;
  missing_extra: string | null;
}

export interface Library {
  library_id: string;
  name: string;
  path: string;
  available: boolean;
  n_tracks: number;
}

export interface LibraryDetail extends Library {
  duration_s: number;
  n_missing_genre: number;
  n_unreadable: number;
  formats: Record<string, number>;
  genres: GenreCount[];
}

export interface Labels {
  genres: GenreCount[];
  dropped: GenreCount[];
  merged: Record<string, string>;
  n_unlabelled: number;
  n_ambiguous: number;
  enough: boolean;
}

export type JobKind = "scan" | "plan" | "apply" | "undo" | "train" | "evaluate";
export type JobState = "queued" | "running" | "cancelling" | "done" | "failed" | "cancelled";
export interface JobProgress { stage: string; done: number; total: number | null; label: string }

export interface Job {
  job_id: number;
  kind: JobKind;
  state: JobState;
  library_id: string | null;
  title: string;
  request: Record<string, unknown>;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  n_starts: number;
  progress: JobProgress | null;
  n_skipped: number;
  error: string | null;
  result: Record<string, unknown> | null;
}

export interface Skipped { path: string; reason: string }

export interface Epoch {
  epoch: number;
  train_loss: number;
  valid_loss: number;
  valid_accuracy: number;
  seconds: number;
  best: boolean;
}

export interface Counts {
  n_tracks?: number;
  /** Artists; of tracks whose artist is not known, albums, folders or the tracks themselves. */
  n_groups?: number;
  /** Known artists; models made by an earlier version do not tell. */
  n_artists?: number;
}

export interface ScoreSummary extends Counts {
  n_artist_unknown?: number;
  accuracy?: number | null;
  accuracy_interval_95?: (number | null)[] | null;
  macro_f1?: number | null;
  majority_baseline?: number | null;
  answered?: number | null;
  precision_when_answered?: number | null;
  per_genre?: Record<string, { n: number; precision: number | null; recall: number | null }>;
}

export interface TrainResult {
  model_id: string;
  scores: ScoreSummary;
  labels: string[];
  confusion: number[][] | null;
  stopped_early: boolean;
}

export interface WriteResult {
  run_id: number;
  n_written: number;
  n_already: number;
  n_skipped: number;
  skipped: Skipped[];
}

export type TagMode = "fill" | "overwrite" | "append";
export type Choice = "open" | "accepted" | "rejected";
export type Show = "proposed" | "unknown" | "error" | "keep" | "all";

/** Which items of a plan a choice is for: those for which all that is given is true. */
export type Selection = { choice: Choice } & Partial<{
  album_ids: number[]; item_ids: number[]; min_confidence: number; max_confidence: number; genre: string;
}>;

export type Action = TagMode | "keep" | "unknown" | "error";

export interface PlanItem {
  item_id: number;
  file_id: string;
  path: string;
  artist: string;
  title: string;
  before: string[];
  proposed: string[];
  after: string[];
  action: Action;
  writes: boolean;
  reason: string;
  confidence: number;
  agreement: number;
  runners_up: GenreShare[];
  edited: boolean;
  choice: Choice;
  written: boolean;
  media: Media;
}

export interface PlanAlbum {
  album_id: number;
  heading: string;
  artist: string;
  album: string;
  cover_url: string | null;
  items: PlanItem[];
}

export interface PlanCounts {
  n_items: number;
  n_albums: number;
  proposed: number;
  unknown: number;
  error: number;
  keep: number;
  accepted: number;
  rejected: number;
  written: number;
}

export interface PlanSummary {
  plan_id: number;
  job_id: number;
  library_id: string | null;
  mode: TagMode;
  model_id: string;
  model_name: string;
  created_at: number;
  counts: PlanCounts;
}

export interface PlanDetail extends PlanSummary { confidences: number[]; genres: string[] }

export interface AlbumPage { plan_id: number; offset: number; n_albums: number; albums: PlanAlbum[] }

export interface JournalRun {
  run_id: number;
  note: string;
  started_at: number;
  finished_at: number | null;
  undone_at: number | null;
  library_id: string | null;
  counts: Record<string, number>;
  can_undo: boolean;
}

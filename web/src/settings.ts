// What a model and its tracker are set to. All values come from the Python package when this is
// built (constants.py); the names are those of siamtrack.core.settings.
import found from "../generated/constants.json";

export interface Presence {
  slope: number;
  offset: number;
  lost_below: number;
  tracked_from: number;
  patience: number;
  hold: number;
  familiar: number;
}

export interface Online {
  weight: number;
  rate: number;
  ridge: number;
  learn_from: number;
  every: number;
}

export interface MotionSettings {
  weight: number;
  spread: number;
  reach: number;
  follow: number;
}

export interface RecentSettings {
  share: number;
  below: number;
  sure: number;
  familiar: number;
  every: number;
  again: number;
}

export interface TrackerSettings {
  context: number;
  area: number;
  window: number;
  rim: number;
  penalty: number;
  size_rate: number;
  size_floor: number;
  smallest: number;
  presence: Presence;
  online: Online;
  motion: MotionSettings;
  recent: RecentSettings;
}

export interface FileInfo {
  bytes: number;
  sha256: string;
}

/** What is known of a model: the card of the Python package. Sides and stride in pixels. */
export interface Card {
  name: string;
  kind: string;
  template: number;
  search: number;
  stride: number;
  tracker: TrackerSettings;
  files: { template: FileInfo; search: FileInfo };
}

/** What constants.py writes. */
export interface Found {
  version: string;
  default: string;
  colors: string[];
  constants: {
    LEAST: number;
    EXTRA_WINDOWS: number;
    OVERLAP: number;
    FIRST_PACE: number;
    FASTER: number;
    SLOWER: number;
    TURN: number;
    MOST: number;
    KNOWN_AFTER: number;
    UNFAMILIAR: number;
    OWN: number;
    TRUE: number;
    CLEAR: number;
    FIRST_LOOKS: number[][];
  };
  models: Record<string, Card>;
}

/** Version of the Python package that this was built from. */
export const VERSION = found.version;
export const DEFAULT = found.default;
export const CONSTANTS = found.constants;
export const MODELS = found.models;
